"""The four-level network of both cities: when each station opened and closed, its posts, and its invented point.

Suzhou meets the published counts by opening dates; the pilot of Chongchuan opens village rooms and closes a district
hall, so that posts move down.
"""

import numpy as np
import pandas as pd

from institute_lib import areas, terms
from institute_lib.demo.facts import CHONGCHUAN, NANTONG, SUZHOU, Facts
from institute_lib.demo.geography import CITIES, CRS, Places, is_virtual, is_zone
from institute_lib.demo.hazard import logistic
from institute_lib.demo.quarters import COUNT, ONE_DAY, STARTS
from institute_lib.demo.setting import Setting

END_2021, END_2023, END = np.datetime64("2021-12-31"), np.datetime64("2023-12-31"), STARTS[COUNT] - ONE_DAY
BEGIN = np.datetime64("2012-03-01")
# Invented: posts of a station by its size, lowest and highest.
POSTS = {
    "city_centre": (28, 28),
    "district_centre": (24, 34),
    "district_hall": (18, 26),
    "town": (5, 9),
    "village": (1, 2),
}
CLOSED_ROOMS, LATER_ROOMS = 12, 24
NANTONG_ROOMS = 0.86
ROOMS_BEFORE_PILOT = 0.48
COLUMNS = ["name", "level", "district", "town", "village", "opened", "closed", "x", "y", "size"]


def draw_stations(setting: Setting, programme: pd.DataFrame) -> pd.DataFrame:
    """Every station and room of both cities, without `posts_filled`."""
    rng = setting.stream("stations")
    seats = _seats(rng, setting.places, programme)
    parts = [seats, _town_stations(rng, setting), *_rooms(rng, setting, programme)]
    frame = pd.concat([part.reindex(columns=COLUMNS) for part in parts], ignore_index=True)
    frame.insert(0, "station_id", [f"ST{number:05d}" for number in range(1, len(frame) + 1)])
    low, high = np.array([POSTS[size] for size in frame["size"]]).T
    frame["posts"] = rng.integers(low, high, endpoint=True)
    frame[["x", "y"]] = frame[["x", "y"]].round(6)
    frame["crs"], frame["point_kind"] = CRS, "illustrative"
    # Drawn for every unit and shown only where opened, so that two worlds share each unit's numbers.
    return frame[frame["opened"] <= pd.Timestamp(END)].drop(columns="size").reset_index(drop=True)


def fill_posts(stations: pd.DataFrame, workers: pd.DataFrame) -> pd.DataFrame:
    """With `posts_filled`: posts of town stations and village rooms that hold a worker at the register's end.

    A city's or a district's own posts carry no names in `workers`; nine in ten of them are filled.
    """
    present = workers.loc[workers["left"].isna(), "station"].value_counts()
    held = stations["station_id"].map(present).fillna(0)
    own = stations["level"].isin(["city", "district"])
    filled = np.minimum(held.where(~own, np.round(0.9 * stations["posts"])), stations["posts"])
    return stations.assign(posts_filled=filled)


def _days(rng: np.random.Generator, count: int, first: np.datetime64, last: np.datetime64) -> np.ndarray:
    return first + rng.integers(0, (last - first).astype(int), size=count, endpoint=True)


def _seats(rng: np.random.Generator, places: Places, programme: pd.DataFrame) -> pd.DataFrame:
    """City centres, and in each district a centre and a hall for the public."""
    rows = []
    for city in CITIES:
        shapes = areas.boundaries(city).set_index("code")["geometry"]
        seat = shapes.iloc[0].representative_point()
        name = terms.text("demo.city_centre", place=areas.get(city).name("zh"))
        rows.append(_seat(rng, "city_centre", name, str(shapes.index[0]), seat))
        for code, shape in shapes.items():
            for kind in ("district_centre", "district_hall"):
                name = terms.text(f"demo.{kind}", place=areas.get(str(code)).name("zh"))
                rows.append(_seat(rng, kind, name, str(code), shape.representative_point()))
                if kind == "district_hall":
                    rows[-1]["closed"] = _hall_closes(programme.iloc[places.position[str(code)]])
    return pd.DataFrame(rows)


def _seat(rng: np.random.Generator, size: str, name: str, district: str, point: object) -> dict[str, object]:
    x, y = np.array([point.x, point.y]) + rng.normal(0, 0.002, 2)
    opened = _days(rng, 1, BEGIN, np.datetime64("2018-06-30"))[0]
    level = "city" if size == "city_centre" else "district"
    return {"name": name, "level": level, "district": district, "opened": opened, "x": x, "y": y, "size": size}


def _hall_closes(levers: pd.Series) -> np.datetime64:
    """Where posts are to move down, the hall closes a hundred days after the policy's start."""
    closes = levers["rooms"] > 0
    return np.datetime64(levers["start"], "D") + 100 if closes else np.datetime64("NaT", "D")


def _town_stations(rng: np.random.Generator, setting: Setting) -> pd.DataFrame:
    """Suzhou: the published counts, legal towns before zones. Nantong: every unit, the last ones in 2024."""
    suzhou, nantong = (_legal_first(rng, setting.places, "towns", city) for city in (SUZHOU, NANTONG))
    full = int(setting.facts.published(SUZHOU, "town_stations").value)
    early = int(setting.facts.other(SUZHOU, "2021末", "基层社工站").value)
    opened = [_days(rng, early, BEGIN, END_2021), _days(rng, full - early, END_2021 + 1, END_2023)]
    early, late = int(0.7 * len(nantong)), len(nantong) - int(0.7 * len(nantong))
    opened += [_days(rng, early, BEGIN, END_2021), _days(rng, late, END_2021 + 1, np.datetime64("2024-10-31"))]
    towns = pd.concat([suzhou.iloc[:full], nantong])
    name = [terms.text("demo.town_station", place=town) for town in towns["name"]]
    return _as_stations(towns, "town", name, np.concatenate(opened)).assign(town=towns["town"].to_numpy())


def _rooms(rng: np.random.Generator, setting: Setting, programme: pd.DataFrame) -> list[pd.DataFrame]:
    suzhou, nantong = (_legal_first(rng, setting.places, "villages", city) for city in (SUZHOU, NANTONG))
    pilot = nantong["host"] == CHONGCHUAN
    hurried = programme["rooms"].iloc[setting.places.position[CHONGCHUAN]]
    return [
        _suzhou_rooms(rng, setting.facts, suzhou),
        _nantong_rooms(rng, nantong[~pilot]),
        _chongchuan_rooms(rng, setting.facts, nantong[pilot], hurried),
    ]


def _suzhou_rooms(rng: np.random.Generator, facts: Facts, villages: pd.DataFrame) -> pd.DataFrame:
    """The published counts at the ends of 2021 and 2023, a few closed in between, a few opened since."""
    near = facts.other(SUZHOU, "2021末", "村(社区)社工室")
    early = int(np.floor(near.draw(rng)))
    full = int(facts.published(SUZHOU, "village_rooms").value)
    total = full + CLOSED_ROOMS + LATER_ROOMS
    opened = np.concatenate(
        [
            _days(rng, early, np.datetime64("2016-01-01"), END_2021),
            _days(rng, full + CLOSED_ROOMS - early, END_2021 + 1, np.datetime64("2023-06-30")),
            _days(rng, LATER_ROOMS, END_2023 + 1, END),
        ]
    )
    frame = _room_frame(villages.iloc[:total], opened)
    closing = np.arange(full, full + CLOSED_ROOMS)  # zones' rooms, opened in 2022 and 2023
    frame.loc[closing, "closed"] = _days(rng, CLOSED_ROOMS, np.datetime64("2023-07-01"), END_2023)
    return frame


def _nantong_rooms(rng: np.random.Generator, villages: pd.DataFrame) -> pd.DataFrame:
    count = int(NANTONG_ROOMS * len(villages))
    return _room_frame(villages.iloc[:count], _days(rng, count, np.datetime64("2017-01-01"), END))


def _chongchuan_rooms(rng: np.random.Generator, facts: Facts, villages: pd.DataFrame, hurried: float) -> pd.DataFrame:
    """Half of the villages had a room before the pilot; the pilot opens a share `hurried` of the rest within a year.

    Without it the rest go on opening at the former pace: the same villages in the same order, on later days.
    """
    first, start = np.datetime64("2017-01-01"), facts.day_of(CHONGCHUAN, "pilot_started")
    before = int(ROOMS_BEFORE_PILOT * len(villages))
    opened = _days(rng, before, first, start - ONE_DAY)
    order = np.sort(rng.random(len(villages) - before))
    days_a_room = (start - first).astype(int) / before
    waits = order * days_a_room * len(order)
    waits = np.where(order < hurried, np.minimum(waits, order / max(hurried, 0.01) * 365), waits)
    opened = np.concatenate([opened, start + waits.astype(int)])
    return _room_frame(villages, opened)


def _room_frame(villages: pd.DataFrame, opened: np.ndarray) -> pd.DataFrame:
    name = [terms.text("demo.village_room", place=village) for village in villages["name"]]
    frame = _as_stations(villages, "village", name, opened)
    return frame.assign(town=villages["town"].to_numpy(), village=villages["village"].to_numpy())


def _as_stations(units: pd.DataFrame, level: str, name: list[str], opened: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "name": name,
            "level": level,
            "district": units["host"].to_numpy(),
            "opened": opened,
            "closed": np.datetime64("NaT", "D"),
            "x": units["x"].to_numpy(),
            "y": units["y"].to_numpy(),
            "size": level,
        }
    )


def _legal_first(rng: np.random.Generator, places: Places, level: str, city: str) -> pd.DataFrame:
    """A city's towns or villages in random order, but legal units before those of zones, virtual communities last."""
    units = getattr(places, level)
    units = units[units["county"].isin(places.of_city(city))]
    rank = is_zone(units["town"]).astype(int)
    if level == "villages":
        rank += 2 * is_virtual(units["village"])
    return units.iloc[np.lexsort([rng.random(len(units)), rank])]


def town_posts_share(setting: Setting, stations: pd.DataFrame) -> np.ndarray:
    """(counties, quarters): posts at town and village level over all of the county's, at each quarter's end.

    Both cities: from the stations that are open. Elsewhere no network is drawn: an invented share that drifts upwards,
    noisier in small counties.
    """
    rng, places = setting.stream("posts_elsewhere"), setting.places
    size = places.counties["size"].to_numpy()[:, None]
    level = rng.normal(1.1, 0.3, (len(size), 1)) + np.linspace(0, 0.45, COUNT)[None, :]
    drift = np.cumsum(rng.normal(0, 0.02, (len(size), COUNT)), axis=1)
    share = logistic(level + drift + rng.normal(0, 1, (len(size), COUNT)) * 0.6 / np.sqrt(size))
    opened, closed = stations["opened"].to_numpy(), stations["closed"].to_numpy()
    low = stations["level"].isin(["town", "village"]).to_numpy()
    local = (stations["level"] != "city").to_numpy()
    county = stations["district"].map(places.position).to_numpy()
    for quarter in range(COUNT):
        day = STARTS[quarter + 1] - ONE_DAY
        posts = np.where((opened <= day) & ~(closed <= day) & local, stations["posts"], 0)
        of_all, of_low = (np.bincount(county, posts * part, len(size)) for part in (1, low))
        both = of_all > 0
        share[both, quarter] = of_low[both] / of_all[both]
    return share
