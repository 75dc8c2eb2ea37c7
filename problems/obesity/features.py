"""Derived features of the obesity problem: body measures and habits, each a pure function of columns.

A parameter names a column of problem.yaml or another feature of this file. Numbers come as float64 with NaN for
missing, categories as str with None for missing; what comes back is float64 of the same shape, (rows,), and NaN where
an input is missing. Questions answered yes or no give 1 or 0.

The survey's answers are grades; values between two grades count as the nearer one, halfway as the upper.
"""

from numpy import isin, isnan, nan, select, where

METRES_PER_INCH = 0.0254
WATER_ML_PER_KG = 35


def BMI(Weight, Height):
    """Body mass index, kg/m² (Quetelet 1832)."""
    return Weight / Height**2


def PAL(FAF, TUE):
    """Physical activity less screen time, difference of grades, −2 to 3 (no published source).

    Not the physical activity level of the nutrition literature, which is a ratio; that is in TDEE.
    """
    return FAF - TUE


def BSA(Weight, Height, Gender):
    """Body surface area, m² (Schlich, Schumm and Schlich 2010), which takes height in cm."""
    height_cm = 100 * Height
    women = 0.000975482 * Weight**0.46 * height_cm**1.08
    men = 0.000579479 * Weight**0.38 * height_cm**1.24
    return _by_sex(Gender, women, men)


def IBW(Height, Gender):
    """Ideal body weight, kg (Devine 1974): 45.5 for women or 50 for men, and 2.3 for each inch over 60.

    Devine says nothing of people below 60 inches (1.524 m). The line goes on there, without a floor: it is still
    16.2 kg for a woman of 1.2 m, the contract's minimum, and a floor would make all short people alike.
    """
    over_60_inches = 2.3 * (Height / METRES_PER_INCH - 60)
    return _by_sex(Gender, 45.5 + over_60_inches, 50 + over_60_inches)


def DIFF_IBW(Weight, IBW):
    """Weight above (below: negative) the ideal one, kg (Devine 1974)."""
    return Weight - IBW


def BMR(Weight, Height, Age, Gender):
    """Basal metabolic rate, kcal/day (Mifflin and St Jeor 1990), which takes height in cm."""
    either_sex = 10 * Weight + 625 * Height - 5 * Age
    return _by_sex(Gender, either_sex - 161, either_sex + 5)


def TDEE(BMR, FAF):
    """Total daily energy expenditure, kcal/day: basal rate (Mifflin and St Jeor 1990) times an activity factor.

    The factors 1.2 (sedentary), 1.375 (light), 1.55 (moderate) and 1.725 (very active) are the usual ones, of no
    single source; they go to the grades 0, 1, 2 and 3 of activity.
    """
    factor = select([FAF < 0.5, FAF < 1.5, FAF < 2.5, FAF >= 2.5], [1.2, 1.375, 1.55, 1.725], nan)
    return BMR * factor


def SWC(CH2O, Weight):
    """Sufficient water: whether the water drunk covers 35 ml per kg of weight a day (NICE 2006, CG32), 1 or 0.

    The grades are bands (below 1 l, 1 to 2 l, above 2 l), read here by their upper ends, 1, 2 and 3 l, and linearly
    between; the highest is open, and taken to be as wide as the others.
    """
    return _answer(WATER_ML_PER_KG * Weight <= 1000 * CH2O, Weight, CH2O)


def IS(FAF, TUE):
    """Is sedentary: active on no day of the week, and 3 h or more a day at screens, 1 or 0.

    After the idea of sedentary behaviour as time sitting (Tremblay et al. 2017); the limits are this survey's grades.
    """
    return _answer((FAF < 0.5) & (TUE >= 0.5), FAF, TUE)


def HH(FCVC, CAEC, FAVC, SMOKE, CALC, CH2O, FAF, SCC):
    """Healthy habits: 0 for up to three of the eight below, 1 for four or five, 2 for six or more.

    Always vegetables, at most sometimes eating between meals, no frequent high-calorie food, no smoking, no alcohol,
    1 l of water or more, some activity every week, counted calories. The score is this project's own; habits of equal
    weight follow Belloc and Breslow 1972.
    """
    habits = (
        _answer(FCVC >= 2.5, FCVC),
        _one_of(CAEC, "no", "Sometimes"),
        _one_of(FAVC, "no"),
        _one_of(SMOKE, "no"),
        _one_of(CALC, "no"),
        _answer(CH2O >= 1.5, CH2O),
        _answer(FAF >= 0.5, FAF),
        _one_of(SCC, "yes"),
    )
    healthy = sum(habits)
    return select([healthy <= 3, healthy <= 5, healthy <= 8], [0.0, 1.0, 2.0], nan)


def INMM(NCP):
    """Ideal number of main meals, which is three a day, 1 or 0 (no published source)."""
    return _answer((NCP >= 2.5) & (NCP < 3.5), NCP)


def EVEMM(FCVC):
    """Eats vegetables in every main meal, the survey's "always", 1 or 0 (Palechor and de la Hoz 2019)."""
    return _answer(FCVC >= 2.5, FCVC)


def _by_sex(Gender, women, men):
    """The value for the person's sex; NaN where that is missing."""
    return select([Gender == "Female", Gender == "Male"], [women, men], nan)


def _one_of(values, *names):
    """1 where the category is one of `names`, 0 where it is another, NaN where it is missing."""
    return where(values == None, nan, isin(values, names))  # noqa: E711 - element by element


def _answer(condition, *numbers):
    """1 where the condition holds, 0 where it does not, NaN where one of the numbers it was made from is missing."""
    return where(isnan(sum(numbers)), nan, condition)
