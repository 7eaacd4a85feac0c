"""The district panel: what each county's registers show at each quarter's end."""

import numpy as np
import pandas as pd

from institute_lib.demo.careers import Careers
from institute_lib.demo.people import People
from institute_lib.demo.quarters import COUNT, QUARTERS
from institute_lib.demo.setting import Setting

OUTCOMES = ("headcount", "certified_share", "stay_rate", "town_money_share", "town_posts_share")
SHARES = OUTCOMES[1:]


def district_panel(
    setting: Setting, everyone: People, careers: Careers, money: np.ndarray, posts: np.ndarray
) -> pd.DataFrame:
    """The district_panel table: 95 counties by 28 quarters.

    headcount: employed on the quarter's last day. certified_share: of the community workers among them. stay_rate: of
    those employed when the quarter begins. town_money_share: of contracts signed in the quarter. town_posts_share: of
    posts on the quarter's last day.
    """
    counties = setting.places.counties

    def total(rows: np.ndarray) -> np.ndarray:
        return np.stack([np.bincount(everyone.county[of_quarter], minlength=len(counties)) for of_quarter in rows.T], 1)

    employed, at_risk = careers.employed(everyone), careers.at_risk(everyone)
    community = employed & everyone.community[:, None]
    certified = community & (careers.history["certificate"][:, 1:] > 0)
    values = {
        "headcount": total(employed),
        "certified_share": total(certified) / total(community),
        "stay_rate": total(at_risk & employed) / total(at_risk),
        "town_money_share": money,
        "town_posts_share": posts,
    }
    cohort = {county: policy.group for policy in setting.policies if policy.staggered for county in policy.counties}
    return pd.DataFrame(
        {
            "district": np.repeat(counties["code"].to_numpy(), COUNT),
            "quarter": np.tile(QUARTERS, len(counties)),
            **{name: grid.ravel().astype(float) for name, grid in values.items()},
            "treated_from": pd.Series(range(len(counties))).map(cohort).repeat(COUNT).to_numpy(),
        }
    )
