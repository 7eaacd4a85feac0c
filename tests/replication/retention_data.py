"""Published tables that the retention room is held against, each with its source."""

import pandas as pd

# Singer, J. D. and Willett, J. B. (2003), Applied Longitudinal Data Analysis, Oxford University Press, table 10.1:
# 3,941 special educators hired in Michigan from 1972 to 1978; year, employed at its beginning, left during it, censored
# at its end.
TEACHERS = pd.DataFrame(
    [
        (1, 3941, 456, 0),
        (2, 3485, 384, 0),
        (3, 3101, 359, 0),
        (4, 2742, 295, 0),
        (5, 2447, 218, 0),
        (6, 2229, 184, 0),
        (7, 2045, 123, 280),
        (8, 1642, 79, 307),
        (9, 1256, 53, 255),
        (10, 948, 35, 265),
        (11, 648, 16, 241),
        (12, 391, 5, 386),
    ],
    columns=["year", "employed", "left", "censored"],
)
TEACHERS_HAZARD = (0.1157, 0.1102, 0.1158, 0.1076, 0.0891, 0.0825, 0.0601, 0.0481, 0.0422, 0.0369, 0.0247, 0.0128)
TEACHERS_SURVIVAL = (0.8843, 0.7869, 0.6958, 0.6209, 0.5656, 0.5189, 0.4877, 0.4642, 0.4446, 0.4282, 0.4177, 0.4123)
TEACHERS_MEDIAN = 6.6

# Fox, J. (2002), Cox Proportional-Hazards Regression for Survival Data, appendix to An R and S-PLUS Companion to
# Applied Regression: Rossi, Berk and Lenihan's recidivism data, Efron's ties. Coefficient, standard error.
ROSSI = {
    "fin": (-0.3794, 0.1914),
    "age": (-0.0574, 0.0220),
    "race": (0.3139, 0.3080),
    "wexp": (-0.1498, 0.2122),
    "mar": (-0.4337, 0.3819),
    "paro": (-0.0849, 0.1958),
    "prio": (0.0915, 0.0286),
}
ROSSI_LOG_LIKELIHOOD = -658.7477

# Wooldridge, J. M. (2013), Introductory Econometrics, 5th edition, table 17.1 (logit) and table 17.2 (average partial
# effects).
MROZ_LOGIT = {
    "nwifeinc": (-0.021, 0.008),
    "educ": (0.221, 0.043),
    "exper": (0.206, 0.032),
    "exper**2": (-0.0032, 0.0010),
    "age": (-0.088, 0.015),
    "kidslt6": (-1.443, 0.204),
    "kidsge6": (0.060, 0.075),
}
MROZ_LOG_LIKELIHOOD = -401.77
MROZ_EFFECTS = {
    "nwifeinc": (-0.0038, 0.0015),
    "educ": (0.039, 0.007),
    "exper": (0.025, 0.002),
    "age": (-0.016, 0.002),
    "kidslt6": (-0.258, 0.032),
    "kidsge6": (0.011, 0.013),
}


def teacher_years() -> pd.DataFrame:
    """The teachers' table as person-period counts: year, left (0/1), people."""
    stayed = TEACHERS.assign(people=TEACHERS["employed"] - TEACHERS["left"], event=0)
    gone = TEACHERS.assign(people=TEACHERS["left"], event=1)
    return pd.concat([stayed, gone])[["year", "event", "people"]].reset_index(drop=True)


def teachers() -> pd.DataFrame:
    """The same 3,941 people, one row a person: years, gone (0/1)."""
    gone = TEACHERS.loc[TEACHERS.index.repeat(TEACHERS["left"]), ["year"]].assign(gone=1)
    stayed = TEACHERS.loc[TEACHERS.index.repeat(TEACHERS["censored"]), ["year"]].assign(gone=0)
    return pd.concat([gone, stayed], ignore_index=True)
