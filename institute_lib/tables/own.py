"""The institute's own tables: what its registers in force say on a day, and what follows from them.

`workers` and `worker_changes` are derived from the states (`history`), the others are the rows of the cells in force.
`reporting` and `district_panel` are computed from the registers, `policies` joins the institute's own to the published
ledger, and the population of villages is the imported one, else an estimate by a stated rule.
"""

from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from institute_lib import areas, paths, sharing, terms
from institute_lib.tables import history, journal, villages
from institute_lib.tables.contracts import LAST_DAY, columns, validate

AGE = {"workers": 0, "stations": 3}  # how many quarters a state may be older than the quarter it answers for
DERIVED = {"worker_changes": "workers", "reporting": "workers", "district_panel": "workers"}
TOWN_LEVELS = ("town", "village")
CERTIFIED = ("assistant", "social_worker", "senior")


def kept(root: Path | None = None, known: str | None = None) -> bool:
    """Whether the institute keeps a register of workers of its own, so that no demo stands in for any table."""
    return journal.has("workers", known=known, root=root)


def there(name: str, *, known: str | None, root: Path | None) -> bool:
    """Whether a table can be made from the institute's own registers."""
    own = kept(root, known)
    if name in ("policies", "reporting", "district_panel"):
        return own or journal.has(name, known=known, root=root)
    if name == "village_population" and own:
        return True
    return journal.has(DERIVED.get(name, name), known=known, root=root)


def table(name: str, as_of: str, *, known: str | None, root: Path | None) -> pd.DataFrame:
    """One of the institute's own tables, checked: everything that is described by the end of `as_of`.

    Raises:
        DataError: rows break the contract; a kept file is damaged.
    """
    place = journal.folder(root) / journal.JOURNAL
    stamp = place.stat()
    reference = (paths.reference() / "policies.csv").stat().st_mtime_ns
    return _table(name, as_of, known, root, (stamp.st_mtime_ns, stamp.st_size, stamp.st_ino, reference))


@lru_cache(maxsize=64)
@sharing.once_a_run
def _table(name: str, as_of: str, known: str | None, root: Path | None, _stamp: tuple[int, ...]) -> pd.DataFrame:
    make = {
        "workers": _workers,
        "worker_changes": _changes,
        "stations": _stations,
        "policies": _policies,
        "reporting": _reporting,
        "district_panel": _panel,
        "village_population": _population,
    }
    frame = make[name](as_of, known, root) if name in make else _events(name, as_of, known, root)
    attrs = dict(frame.attrs)
    checked = validate(name, frame.reset_index(drop=True))
    if "district" in checked:
        hosts = {code: areas.host(code) for code in checked["district"].unique()}
        checked["district"] = checked["district"].map(hosts).astype("str")
    checked.attrs = attrs
    return checked


def past(as_of: str, *, known: str | None = None, root: Path | None = None) -> history.History | None:
    """The history of the workers' register; None where nothing described a quarter by then."""
    place = journal.folder(root) / journal.JOURNAL
    if not place.is_file():
        return None
    stamp = place.stat()
    return _past(as_of, known, root, (stamp.st_mtime_ns, stamp.st_size, stamp.st_ino))


@lru_cache(maxsize=16)
@sharing.once_a_run
def _past(as_of: str, known: str | None, root: Path | None, _stamp: tuple[int, ...]) -> history.History | None:
    rows = _states("workers", as_of, known, root)
    return None if rows.empty else history.derive(rows, as_of, answers(known, root))


def answers(known: str | None = None, root: Path | None = None) -> tuple[journal.Entry, ...]:
    """What was answered about people no longer listed, as far as the states that it rests on stand."""
    standing = journal.standing(journal.entries(root), known)
    numbers = {entry.number for entry in standing}
    return tuple(entry for entry in standing if entry.kind == "missing" and set(entry.body["rests"]) <= numbers)


def _states(name: str, as_of: str, known: str | None, root: Path | None) -> pd.DataFrame:
    """The rows of the states that describe a quarter up to `as_of`."""
    rows = journal.rows(name, known=known, root=root)
    if rows.empty:
        return rows
    days = journal.state_days(rows[journal.CELL].unique(), as_of)
    wanted = {f"{district} {day}" for district, of_district in days.items() for day in of_district}
    return rows[rows[journal.CELL].isin(wanted)].reset_index(drop=True)


def _workers(as_of: str, known: str | None, root: Path | None) -> pd.DataFrame:
    found = past(as_of, known=known, root=root)
    if found is None:
        return _empty("workers")
    frame = found.workers.copy()
    frame.attrs = {
        "observed": _by_host(found.observed),
        "described": {areas.host(code): day for code, day in found.described.items()},
    }
    return frame


def _by_host(observed: dict[str, tuple[tuple[str, ...], ...]]) -> dict[str, tuple[tuple[str, ...], ...]]:
    """What is observed of a district that holds a development zone is what is observed of both."""
    found: dict[str, tuple[tuple[str, ...], ...]] = {}
    for code, runs in observed.items():
        host = areas.host(code)
        if host in found:
            joint = [tuple(sorted(set(one) & set(other))) for one in found[host] for other in runs]
            found[host] = tuple(run for run in joint if run)
        else:
            found[host] = runs
    return found


def _changes(as_of: str, known: str | None, root: Path | None) -> pd.DataFrame:
    found = past(as_of, known=known, root=root)
    if found is None:
        return _empty("worker_changes")
    frame = found.changes.copy()
    begun: dict[str, str] = {}
    for code, day in found.first.items():
        begun[areas.host(code)] = max(day, begun.get(areas.host(code), ""))
    frame.attrs = {"begun": begun}
    return frame


def _stations(as_of: str, known: str | None, root: Path | None) -> pd.DataFrame:
    """The last state of each district; one that is too old by then answers no more."""
    rows = _states("stations", as_of, known, root)
    if rows.empty:
        return _empty("stations")
    days = journal.state_days(rows[journal.CELL].unique(), as_of)
    newest = {
        f"{district} {of_district[-1]}"
        for district, of_district in days.items()
        if is_fresh("stations", journal.quarter_of_state(of_district[-1]), as_of)
    }
    frame = rows[rows[journal.CELL].isin(newest)]
    frame = frame.assign(district=_current(frame["district"]))
    frame.attrs = {"described": {areas.host(code): of_district[-1] for code, of_district in days.items()}}
    return frame


def is_fresh(name: str, described: str, as_of: str) -> bool:
    """Whether a state of a quarter may still answer on a day; each table states how old it may be (`AGE`)."""
    if as_of == LAST_DAY:  # everything, of whatever day
        return True
    return (pd.Period(_last_quarter(as_of), freq="Q") - pd.Period(described, freq="Q")).n <= AGE[name]


def _current(codes: pd.Series) -> pd.Series:
    return codes.map({code: history.current(code) for code in codes.unique()}).astype("str")


def _events(name: str, as_of: str, known: str | None, root: Path | None) -> pd.DataFrame:
    frame = journal.rows(name, known=known, root=root)
    if frame.empty:
        return _empty(name)
    if "district" in frame:
        frame["district"] = _current(frame["district"])
    if name == "services":  # agencies report apart, and the contract has a row a district, quarter and field
        numbers = [column for column in columns("services") if column not in ("district", "quarter", "field")]
        frame = frame.groupby(["district", "quarter", "field"], as_index=False)[numbers].sum(min_count=1)
    return frame


def _empty(name: str) -> pd.DataFrame:
    return pd.DataFrame({column: pd.Series(dtype="object") for column in columns(name)})


def _policies(as_of: str, known: str | None, root: Path | None) -> pd.DataFrame:
    """The published ledger, and the institute's own entries before it."""
    published = pd.read_csv(paths.reference() / "policies.csv", dtype="str", encoding="utf-8-sig", na_values=[""])
    own = journal.rows("policies", known=known, root=root)
    if own.empty:
        return published
    rest = published[~published["policy_id"].isin(own["policy_id"])]
    return pd.concat([rest, own.drop(columns=journal.CELL)], ignore_index=True)


def quarters_reported(name: str, *, known: str | None = None, root: Path | None = None) -> dict[str, set[str]]:
    """For each district (zones folded into their hosts) the quarters that its states of a table answer for."""
    cells = journal.in_force(name, journal.entries(root), known)
    found: dict[str, set[str]] = {}
    for code, days in journal.state_days(cells).items():
        own = found.setdefault(areas.host(history.current(code)), set())
        own |= {journal.quarter_of_state(day) for day in days}
    return found


def _reporting(as_of: str, known: str | None, root: Path | None) -> pd.DataFrame:
    """Who has handed in which quarter, from the first quarter to the last that anybody has."""
    reported = quarters_reported("workers", known=known, root=root)
    every = sorted(set().union(*reported.values()))
    quarters = pd.period_range(every[0], every[-1], freq="Q").astype(str) if every else []
    districts = _own_districts(reported)
    rows = [(code, quarter, quarter in reported.get(code, ())) for code in districts for quarter in quarters]
    frame = pd.DataFrame(rows, columns=["district", "quarter", "reported"])
    told = journal.rows("reporting", known=known, root=root)
    if len(told):
        keys = ["district", "quarter"]
        frame = pd.concat([told[[*keys, "reported"]], frame]).drop_duplicates(keys)
    return frame


def _own_districts(codes: object) -> tuple[str, ...]:
    """Every district of the cities whose registers these are."""
    cities = {f"{code[:4]}00" for code in codes}  # as all codes of districts begin, those of divided ones too
    return tuple(area.code for city in sorted(cities) for area in areas.districts(city))


def _panel(as_of: str, known: str | None, root: Path | None) -> pd.DataFrame:
    """The panel of own districts by quarter, and the published figures of other counties that were imported."""
    reported = quarters_reported("workers", known=known, root=root)
    last = max((quarter for quarters in reported.values() for quarter in quarters), default="")
    found = past(as_of, known=known, root=root)
    rows = []
    if found is not None:
        workers = found.workers.assign(district=[areas.host(code) for code in found.workers["district"]])
        observed = _by_host(found.observed)
        begun = pd.Period(workers["entered"].min(), freq="Q")
        ends = {code: {quarter for run in observed.get(code, ()) for quarter in run} for code in reported}
        for quarter in pd.period_range(begun, min(last, _last_quarter(as_of)), freq="Q").astype(str):
            known_then = [code for code in sorted(reported) if quarter in ends[code] or quarter in reported[code]]
            rows += _panel_rows(quarter, known_then, workers, found.changes, observed)
    frame = pd.DataFrame(rows, columns=["district", "quarter", "headcount", "certified_share", "stay_rate"])
    frame = frame.merge(_money_share(as_of, known, root), on=["district", "quarter"], how="left")
    frame = frame.merge(_posts_share(frame, known, root), on=["district", "quarter"], how="left")
    ledger = _policies(as_of, known, root)
    frame["treated_from"] = frame["district"].map(_treated(ledger)).astype("object")
    elsewhere = journal.rows("district_panel", known=known, root=root)
    if len(elsewhere):
        frame = pd.concat([frame, elsewhere[~elsewhere["district"].isin(reported)]], ignore_index=True)
    return frame[list(columns("district_panel"))]


def _last_quarter(as_of: str) -> str:
    """The last quarter that had ended by the end of a day."""
    return str(pd.Period(pd.Timestamp(as_of) + pd.Timedelta(days=1), freq="Q") - 1)


def _panel_rows(
    quarter: str, districts: list[str], workers: pd.DataFrame, changes: pd.DataFrame, observed: dict
) -> list[tuple]:
    period = pd.Period(quarter, freq="Q")
    begin, end = period.start_time.normalize(), (period + 1).start_time.normalize()
    at_end = (workers["entered"] < end) & ~(workers["left"] < end)
    at_begin = (workers["entered"] <= begin) & ~(workers["left"] <= begin)
    stays = at_begin & ~(workers["left"] <= end)
    states = changes[changes["date"] < end].drop_duplicates("worker_id", keep="last").set_index("worker_id")
    certificate = workers["worker_id"].map(states["certificate"])
    judged = at_end & workers["kind"].eq("community") & certificate.notna() & certificate.ne(history.UNKNOWN)
    certified = judged & certificate.isin(CERTIFIED)
    rows = []
    for code in districts:
        own = workers["district"] == code
        share = (certified & own).sum() / n if (n := (judged & own).sum()) else np.nan
        seen = history.is_observed(observed, code, str(period - 1), quarter)
        stay = (stays & own).sum() / n if seen and (n := (at_begin & own).sum()) else np.nan
        rows.append((code, quarter, float((at_end & own).sum()), share, stay))
    return rows


def _money_share(as_of: str, known: str | None, root: Path | None) -> pd.DataFrame:
    """The share of town and village level in the money of the contracts signed in a quarter."""
    bought = journal.rows("procurement", known=known, root=root)
    if bought.empty:
        return pd.DataFrame(
            {"district": pd.Series(dtype="str"), "quarter": pd.Series(dtype="str"), "town_money_share": []}
        )
    bought = bought.assign(
        district=[areas.host(code) for code in _current(bought["district"])],
        quarter=pd.PeriodIndex(bought["signed"], freq="Q").astype(str),
        town=bought["amount"].where(bought["level"].isin(TOWN_LEVELS), 0.0),
    )
    sums = bought.groupby(["district", "quarter"], as_index=False)[["town", "amount"]].sum()
    sums["town_money_share"] = sums["town"] / sums["amount"].where(sums["amount"] > 0)
    return sums[["district", "quarter", "town_money_share"]]


def _posts_share(panel: pd.DataFrame, known: str | None, root: Path | None) -> pd.DataFrame:
    """The share of town and village level in the posts of the stations open on a quarter's last day."""
    rows = []
    for quarter in panel["quarter"].unique():
        end = pd.Period(quarter, freq="Q").end_time.normalize()
        listed = _stations(f"{end:%Y-%m-%d}", known, root)
        is_open = (pd.to_datetime(listed["opened"]) <= end) & ~(pd.to_datetime(listed["closed"]) <= end)
        listed = listed[is_open].assign(district=lambda frame: [areas.host(code) for code in frame["district"]])
        for code, own in listed.groupby("district"):
            posts = own["posts"].sum()
            town = own.loc[own["level"].isin(TOWN_LEVELS), "posts"].sum()
            rows.append((str(code), quarter, town / posts if posts else np.nan))
    return pd.DataFrame(rows, columns=["district", "quarter", "town_posts_share"]).astype(
        {"district": "str", "quarter": "str"}
    )


def _treated(ledger: pd.DataFrame) -> dict[str, str]:
    """For each district the first full quarter of a policy that reaches districts one after another."""
    found: dict[str, str] = {}
    for policy in ledger[ledger["design"].eq("staggered") & ledger["treated_from"].notna()].itertuples():
        for code in policy.area.split(";"):
            for area in areas.districts(code):
                found[area.code] = min(found.get(area.code, policy.treated_from), policy.treated_from)
    return found


def _population(as_of: str, known: str | None, root: Path | None) -> pd.DataFrame:
    """The imported population of villages, and an estimate for the districts of which none was imported."""
    own = journal.rows("village_population", known=known, root=root)
    wanted = set(_own_districts(quarters_reported("workers", known=known, root=root)))
    if len(own):
        own["district"] = _current(own["district"])
        wanted -= {areas.host(code) for code in own["district"]}
    parts = [own] if len(own) else []
    facts = journal.rows("published_facts", known=known, root=root)
    parts += [villages.estimate(sorted(wanted), facts)] if wanted else []
    frame = pd.concat(parts, ignore_index=True)
    frame.attrs = {"estimated": tuple(sorted(wanted)), "note": terms.text("tables.population_rule")}
    return frame
