"""Coverage as results that a notebook shows: who is covered, by whom, who can reach a station, and where next.

Stations, units and the estimated residents of villages are not persons and stand exactly. The staff of stations are:
whatever is computed from posts that are filled goes through protection, as figures of the registers of workers do.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from institute_lib import areas, terms
from institute_lib.coverage.catchment import Access, access
from institute_lib.coverage.checks import hosted
from institute_lib.coverage.comparing import access_choices, beside_published
from institute_lib.coverage.counting import denominator, over_time
from institute_lib.coverage.inequality import equity
from institute_lib.coverage.lists import denominators
from institute_lib.coverage.network import Network
from institute_lib.coverage.reasons import fault_rows
from institute_lib.coverage.siting import fewest_stations, next_stations, reach_matrix
from institute_lib.coverage.staff import SUPERVISORS, in_service, norms, staffing
from institute_lib.result import Measure, Provenance, Result, provenance_of

if TYPE_CHECKING:
    import geopandas as gpd

LEVEL_MARKS = {"town": ("city", "district", "town"), "village": ("village",)}
NATION = "nation"
MOST_ROWS = 40  # faulty records that a brief lists one by one
EARLIER = ("last_quarter", "last_year")


def left_out(network: Network, *, language: str = "zh") -> Result | None:
    """Records that are neither counted nor drawn, row by row, with the rule that each breaks; None where there is none.

    Of more than `MOST_ROWS` the first of each rule stands for its like, and `like_it` says how many there are.

    Returns:
        Result by table, row and column: value, rule, remedy, like_it.
    """
    places = () if network.villages is None else network.people.faults
    found = dict.fromkeys((*network.uncounted, *network.everywhere.faults, *places))
    if not found:
        return None
    frame = fault_rows(*found, language=language)
    alike = frame.groupby(["table", "column", "rule"], dropna=False)
    frame["like_it"] = alike["row"].transform("size") - 1
    many = len(frame) > MOST_ROWS
    words = tuple(Measure(name, "text") for name in ("value", "rule", "remedy"))
    return Result(
        frame[alike.cumcount() == 0] if many else frame,
        ("table", "row", "column"),
        (*words, Measure("like_it", "count", counts="rows")) if many else words,
        None,
        network.provenance,
        title="coverage.title_left_out",
    )


def levels(network: Network) -> Result:
    """Coverage of each level of the network, beside the stations that have nobody in post.

    Returns:
        Result by level: coverage, covered, units, stations, unstaffed (stations in service without anybody in post),
        staffed_coverage (of the units, those with a station that has somebody), outside_list.
    """
    frame = _with_shares(network.by_level)
    frame.attrs = network.by_level.attrs

    def said(shown: Any, language: str) -> list[tuple[str, dict[str, Any]]]:
        known = [level for level in ("town", "village") if level in set(frame["level"])]
        parts = [(f"coverage.said_{one}", shown.figures(level=one)) for one in known]
        listed = {"denominator": denominator(frame, language)}
        day = {"date": terms.date(network.at, language)}
        return [("coverage.said_on", day), *parts, ("coverage.said_list", listed)]

    return Result(
        frame,
        ("level",),
        (
            Measure("coverage", "share", of=("covered", "units")),
            Measure("covered", "count", counts="units"),
            Measure("units", "count", counts="units"),
            Measure("stations", "count", counts="stations"),
            Measure("unstaffed", "count", counts="stations"),
            Measure("staffed_coverage", "share", of=("staffed", "units")),
            Measure("outside_list", "count", counts="stations"),
        ),
        None,
        network.provenance,
        title="coverage.title_levels",
        sentence=said,
    )


def _with_shares(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows with the shares that their counts make, missing where no unit counts."""
    listed = frame["units"].where(frame["units"] > 0)
    made = {"covered": "coverage", "staffed": "staffed_coverage"}
    made |= {f"covered_{one}": f"coverage_{one}" for one in EARLIER}
    return frame.assign(**{share: frame[count] / listed for count, share in made.items()})


def posts(network: Network) -> Result:
    """Posts and how many of them are vacant, by level. Those in post are persons.

    Returns:
        Result by level (the whole as "total"): posts, posts_filled, vacant_share.
    """
    frame = network.by_level[["level", "posts", "posts_filled"]]
    whole = pd.DataFrame([{"level": "total", **frame[["posts", "posts_filled"]].sum()}])
    frame = pd.concat([frame, whole], ignore_index=True)
    frame["vacant"] = (frame["posts"] - frame["posts_filled"]).clip(lower=0)
    return Result(
        frame.assign(vacant_share=frame["vacant"] / frame["posts"].where(frame["posts"] > 0)),
        ("level",),
        (
            Measure("posts", "count", counts="posts"),
            Measure("posts_filled", "count", of="posts"),
            Measure("vacant_share", "share", of=("vacant", "posts")),
        ),
        "posts_filled",
        _of_staff(network.provenance),
        title="coverage.title_posts",
        sentence=lambda shown, _: [("coverage.said_posts", shown.figures(level="total"))],
    )


def _of_staff(provenance: Provenance) -> Provenance:
    """The same reads, of figures that count the persons in post."""
    return Provenance(replace(one, personal=True) for one in provenance.reads)


def units(network: Network, *, level: str) -> Result:
    """Coverage by district of a city or town of a district at one level, the whole included.

    Returns:
        Result by area: `<level>_coverage`, the same a quarter and a year before and its change on the year,
        `<level>_staffed_coverage`, covered, units, unstaffed.
    """
    own = network.by_unit[network.by_unit["level"] == level].rename(columns={network.by: "area"})
    counts = ["covered", "units", "staffed", "unstaffed", *(f"covered_{one}" for one in EARLIER)]
    whole = pd.DataFrame([{"area": network.whole, **own[counts].sum()}])
    frame = _with_shares(pd.concat([own[["area", *counts]], whole], ignore_index=True))
    name = f"{level}_coverage"
    renamed = {"coverage": name, "staffed_coverage": f"{level}_staffed_coverage"}
    renamed |= {f"coverage_{one}": f"{name}_{one}" for one in EARLIER}
    past = [Measure(f"{name}_{one}", "share", of=(f"covered_{one}", "units")) for one in EARLIER]
    return Result(
        frame.rename(columns=renamed),
        ("area",),
        (
            Measure(name, "share", of=("covered", "units")),
            Measure("covered", "count", counts="units"),
            Measure("units", "count", counts="units"),
            Measure(f"{level}_staffed_coverage", "share", of=("staffed", "units")),
            Measure("unstaffed", "count", counts="stations"),
            *past,
            Measure(f"{name}_change", "points", of=(name, f"{name}_last_year")),
        ),
        None,
        network.provenance,
        title=f"coverage.title_{level}_map",
        chart="map" if frame["coverage"].nunique() > 1 else "table",  # a map of one colour says what a line says
        look={"boundaries": network.shapes, "stations": network.located(*LEVEL_MARKS[level])},
    )


def history(network: Network, *, quarters: Sequence[str]) -> Result:
    """Coverage by village rooms at the end of each quarter, by unit. The list stays the same.

    A district is missing in the quarters that it has not reported, and in no other.

    Returns:
        Result by area and quarter: village_coverage.
    """
    frame = over_time(network.stations, quarters=quarters, by=network.by, denominators=network.listed)
    frame = frame[frame["level"] == "village"].rename(columns={network.by: "area", "coverage": "village_coverage"})
    if network.reported:
        whose = frame["area"] if network.by == "district" else pd.Series(network.area.code, frame.index)
        there = [code in network.reported[quarter] for code, quarter in zip(whose, frame["quarter"], strict=True)]
        frame = frame[there].reset_index(drop=True)
    return Result(
        frame,
        ("area", "quarter"),
        (Measure("village_coverage", "share", of=("covered", "units")),),
        None,
        network.provenance,
        title="coverage.title_over_time",
        chart="slider",
        look={"across": "quarter", "boundaries": network.shapes},
    )


def staff(workers: pd.DataFrame, changes: pd.DataFrame, talent: pd.DataFrame, *, at: str) -> Result:
    """People in post by district, per 10,000 residents of the census of 2020, with the whole of those that reported.

    Supervisors are those in post: titles of people who have left do not count, so that their ratio to the certified
    in post is of the same districts and the same day.

    Args:
        workers, changes, talent: tables of the districts that reported.

    Returns:
        Result by district: community_workers_per_10k, certified_in_post_per_10k, supervisors_in_post_per_10k,
        supervisors_to_certified, caseload_per_worker, workers.
    """
    day = pd.Timestamp(at)
    serving = in_service(workers, changes, day).drop_duplicates("worker_id").set_index("worker_id")["district"]
    held = talent[talent["title"].isin(SUPERVISORS) & talent["person_id"].isin(serving.index)]
    held = held.assign(district=held["person_id"].map(serving))
    reported = hosted(workers)["district"].unique()
    residents = areas.population()
    residents = residents[residents["code"].isin(reported)]
    frame = staffing(workers, changes, at=at, residents=residents, talent=held)
    sums = ["residents", "workers", "certified", "community", "supervisors", "caseload", "caseload_known"]
    frame = pd.concat([frame, pd.DataFrame([{"district": "total", **frame[sums].sum()}])], ignore_index=True)
    for name, part in (
        ("community_workers", "community"),
        ("certified_in_post", "certified"),
        ("supervisors_in_post", "supervisors"),
    ):
        frame[f"{name}_per_10k"] = 10_000 * frame[part] / frame["residents"]
    frame["supervisors_to_certified"] = frame["supervisors"] / frame["certified"].where(frame["certified"] > 0)
    frame["caseload_per_worker"] = frame["caseload"] / frame["caseload_known"].where(frame["caseload_known"] > 0)
    return Result(
        frame,
        ("district",),
        (
            Measure("community_workers_per_10k", "per_10000", of=("community", "residents")),
            Measure("certified_in_post_per_10k", "per_10000", of=("certified", "residents")),
            Measure("supervisors_in_post_per_10k", "per_10000", digits=2, of=("supervisors", "residents")),
            Measure("supervisors_to_certified", "share", of=("supervisors", "certified")),
            Measure("caseload_per_worker", "number", digits=1, of="caseload_known"),
            Measure("workers", "count"),
        ),
        "workers",
        provenance_of(workers) | provenance_of(changes) | provenance_of(talent) | _census(),
        title="coverage.title_staff",
        notes=("coverage.norm_is_urban",),
    )


def _census() -> Provenance:
    return provenance_of(areas.reference("population_2020"))


def published_norms() -> Result:
    """The national norm for community workers, and what other cities published of holders of certificates.

    Returns:
        Result by area and year: community_norm_per_10k (of urban residents), holders_per_10k (of whatever residents
        the city counted).
    """
    facts = norms()
    facts = facts[(facts["area"] != "") | (facts["kind"] == "norm")]
    norm = facts["kind"] == "norm"
    frame = pd.DataFrame(
        {
            "area": facts["area"].where(~norm, NATION),
            "year": facts["period"].str[:4],
            "community_norm_per_10k": facts["value"].where(norm),
            "holders_per_10k": facts["value"].where(~norm),
        }
    )
    return Result(
        frame,
        ("area", "year"),
        (Measure("community_norm_per_10k", "number", digits=1), Measure("holders_per_10k", "number", digits=1)),
        None,
        provenance_of(areas.reference("other_facts")),
        title="coverage.title_others",
    )


@dataclass(frozen=True, eq=False)
class Reaching:
    """Who can reach a station, as results: `staff` (per 10,000 residents) and `distance` by unit, `lorenz` and
    `inequality` over towns; None each where no station can be placed."""

    staff: Result | None = None
    distance: Result | None = None
    lorenz: Result | None = None
    inequality: Result | None = None


def reaching(network: Network, around: Network, *, catchment_m: float) -> Reaching:
    """Two-step floating catchment areas around the stations of towns and above, with Gaussian decay (see `access`).

    Args:
        network: of whose residents. around: the city's network, whose stations and residents count across the borders
            of districts, so that a district's figures are the same in its own brief and in the city's.
        catchment_m: the reach of a station in metres.

    Returns:
        staff by area: access; distance by area: median_m, out_of_reach; lorenz by people: provision (share of all);
        inequality: gini, theil, between_percent, moran_i, moran_p.
    """
    if not len(around.halls.points):
        return Reaching()
    supply = around.halls.points
    scores = access(around.people.points, supply, catchment_m=catchment_m, decay="gaussian")
    attrs, scores = scores.attrs, scores[scores["village"].isin(network.villages["village"])].reset_index(drop=True)
    scores.attrs = attrs
    found, provenance = Access(scores), _of_staff(around.provenance)
    frame = found.by(network.by).rename(columns={network.by: "area"})
    within = reach_matrix(scores, supply, catchment_m)
    filled = supply["posts_filled"].fillna(0).to_numpy(float)
    by_unit = [filled[within[(scores[network.by] == one).to_numpy()].sum(axis=0) > 0].sum() for one in frame["area"]]
    frame = frame.assign(staff_reached=by_unit, without=frame["people"] * frame["without"])
    whole = {"area": network.whole, "people": frame["people"].sum(), "without": frame["without"].sum()}
    distances = pd.concat([frame, pd.DataFrame([whole | {"median_m": found.median_distance_m}])], ignore_index=True)
    residents = around.provenance | provenance_of(around.villages)
    map_of = {"boundaries": network.shapes, "stations": network.halls}
    return Reaching(
        staff=Result(
            frame,
            ("area",),
            (Measure("access", "number", digits=2),),
            "staff_reached",
            provenance | residents,
            title="coverage.title_access",
            chart="map",
            look=map_of,
        ),
        distance=Result(
            distances.assign(
                out_of_reach=distances["without"] / distances["people"].where(distances["people"] > 0),
                catchment_m=catchment_m,
            ),
            ("area",),
            (
                Measure("median_m", "count", counts="metres"),
                Measure("out_of_reach", "share", of=("without", "people")),
                Measure("catchment_m", "count", counts="metres"),
            ),
            None,
            residents,
            title="coverage.title_distance",
            chart="bars",
            sentence=lambda shown, _: [("coverage.said_distance", shown.figures(area=network.whole))],
        ),
        **_inequality(network, found, float(filled.sum()), provenance | residents),
    )


def _inequality(network: Network, found: Access, in_post: float, provenance: Provenance) -> dict[str, Result]:
    """How evenly what is in reach is spread over the residents of towns."""
    places = network.people.points
    towns = found.by("town").merge(places.drop_duplicates("town")[["town", "district"]], on="town")
    cells = areas.voronoi_cells(places, network.boundaries).rename(columns={"code": "town"})
    grouped = "district" if network.by == "district" else None
    fair = equity(cells.merge(towns, on="town"), value="access", weight="people", group=grouped)
    between = 100 * fair.theil_between / fair.theil if fair.theil_between is not None and fair.theil else None
    moran = {"moran_i": fair.moran.i, "moran_p": fair.moran.p_value} if fair.moran else {}
    row = {"area": network.whole, "in_post": in_post, "gini": fair.gini, "theil": fair.theil, "theil_between": between}
    shared = {"provenance": provenance, "persons": "in_post"}
    lorenz = Result(
        fair.deciles().rename(columns={"value": "provision"}).assign(in_post=in_post),
        ("people",),
        (Measure("provision", "number", digits=3),),
        title="coverage.title_lorenz",
        chart="lorenz",
        sentence=lambda shown, _: [("coverage.said_lorenz", {"half": shown.figure("provision", people=0.5)})],
        **shared,
    )
    digits = {"gini": 3, "theil": 3, "theil_between": 1, "moran_i": 2, "moran_p": 3}
    measures = [Measure(name, "number", digits=places) for name, places in digits.items() if name in {**row, **moran}]
    inequality = Result(
        pd.DataFrame([{**row, **moran}]),
        ("area",),
        tuple(one for one in measures if one.name != "theil_between" or grouped),
        title="coverage.title_inequality",
        notes=("coverage.neighbours",) if moran else ("coverage.moran_few",),
        **shared,
    )
    return {"lorenz": lorenz, "inequality": inequality}


def choices(around: Network, *, catchments_m: Sequence[float]) -> Result | None:
    """Access under other decays and reaches, over villages: how far its findings rest on them.

    Returns:
        Result by decay and catchment_m: out_of_reach, gini; None where no station can be placed.
    """
    if not len(around.halls.points):
        return None
    places, supply = around.people.points, around.halls.points
    frame = access_choices(places, supply, catchments_m=catchments_m).astype({"catchment_m": "int64"})
    people = float(places["population"].sum())
    filled = float(supply["posts_filled"].sum())
    return Result(
        frame.assign(out_of_reach=frame["without"], without=frame["without"] * people, people=people, in_post=filled),
        ("decay", "catchment_m"),
        (Measure("out_of_reach", "share", of=("without", "people")), Measure("gini", "number", digits=3)),
        "in_post",
        _of_staff(around.provenance) | provenance_of(around.villages),
        title="coverage.title_choices",
    )


@dataclass(frozen=True, eq=False)
class Sites:
    """Where further stations bring most residents within reach, as results: `chosen`, `reach` by area before and after,
    and both for the whole area in one row (`summary`); `places` are the sites for a map. None each where no station can
    be placed."""

    places: "gpd.GeoDataFrame | None" = None
    chosen: Result | None = None
    reach: Result | None = None
    summary: Result | None = None


def sites(network: Network, around: Network, *, k: int, radius_m: float) -> Sites:
    """The k villages, at most one a town, that bring most residents within reach of a station (see `next_stations`).

    Args:
        network: whose residents and villages. around: the city's network, whose stations serve across borders.

    Returns:
        chosen by site and area: people_added, radius_m; reach by area and stage: within_reach; summary by area:
        new_stations, fewest (that bring everybody within reach who can be), within_before, within_after.
    """
    if not around.placed:
        return Sites()
    listed = areas.villages(network.area.code).set_index("village")
    twice = listed.duplicated(["host", "name"], keep=False)  # two towns of a district may have a village of one name
    towns = areas.towns(network.area.code).set_index("town")["name"]
    names = listed["name"].mask(twice, listed["town"].map(towns) + listed["name"])
    places = network.people.points.drop(columns="name")
    places = places.assign(name=places["village"].map(names))
    stations = around.halls.points
    found = next_stations(places, places, k=k, radius_m=radius_m, existing=stations, one_per="town")
    fewest = fewest_stations(places, places, radius_m=radius_m, existing=stations)
    provenance = around.provenance | provenance_of(around.villages)
    reach = found.by(network.by).rename(columns={network.by: "area", "share": "within_reach"})
    reach = reach.assign(reached=reach["within_reach"] * reach["people"])
    before, after = found.people_before, found.people_after
    row = {"area": network.whole, "radius_m": radius_m, "new_stations": len(found.chosen), "fewest": len(fewest.chosen)}
    row |= {"within_before": before / found.people, "within_after": after / found.people}
    row |= {"before": before, "after": after, "people": found.people}
    metres, counted = Measure("radius_m", "count", counts="metres"), ("new_stations", "fewest")
    return Sites(
        places=found.chosen,
        chosen=Result(
            found.to_frame().rename(columns={"name": "site", "district": "area"}).assign(radius_m=radius_m),
            ("site", "area"),
            (Measure("people_added", "count", counts="residents"), metres),
            None,
            provenance,
            title="coverage.title_sites",
        ),
        reach=Result(
            reach,
            ("area", "stage"),
            (Measure("within_reach", "share", of=("reached", "people")),),
            None,
            provenance,
            title="coverage.title_stages",
            chart="map",
            look={"boundaries": network.shapes, "stations": network.halls, "across": "stage"},
        ),
        summary=Result(
            pd.DataFrame([row]),
            ("area",),
            (
                *(Measure(name, "count", counts="stations") for name in counted),
                metres,
                Measure("within_before", "share", of=("before", "people")),
                Measure("within_after", "share", of=("after", "people")),
            ),
            None,
            provenance,
            title="coverage.title_sites",
            notes=() if found.optimal and fewest.optimal else ("coverage.not_proven",),
            sentence=lambda shown, _: [("coverage.said_sites", shown.figures(area=network.whole))],
        ),
    )


def published_coverage(stations: pd.DataFrame, *, area: str) -> Result:
    """What a city published of its coverage, beside its own register and each list that could have been meant.

    Args:
        stations: the `stations` table, with the city's.
        area: the city's code.

    Returns:
        Result by level and basis: stated, published_count, registered_count, units, ratio_of_counts.
    """
    lists = [denominators(area, include=kinds) for kinds in ((), ("zones",), ("zones", "virtual"))]
    own = stations[stations["district"].isin([one.code for one in areas.districts(area)])]
    facts = areas.reference("published_facts")
    frame = beside_published(facts, lists, area=area, stations=own)
    stated = frame["basis"] == "published"
    frame = frame.rename(columns={"count": "published_count", "registered": "registered_count"})
    return Result(
        frame.assign(
            full=frame["units"].where(~stated, 1.0),
            stated_of=frame["share"].where(stated),
            stated=frame["share"].where(stated),
            ratio_of_counts=frame["share"].where(~stated),
        ),
        ("level", "basis"),
        (
            Measure("stated", "share", of=("stated_of", "full")),
            Measure("published_count", "count", counts="stations"),
            Measure("registered_count", "count", counts="stations"),
            Measure("units", "count", counts="units"),
            Measure("ratio_of_counts", "share", of=("published_count", "units")),
        ),
        None,
        provenance_of(facts) | provenance_of(stations),
        title="coverage.title_published",
    )
