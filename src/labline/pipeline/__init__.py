"""The use cases. The CLI, notebooks, the API, schedulers and CI all call these; none of them adds logic of its own."""

from labline.pipeline.card import card
from labline.pipeline.champion import Served, champion, served, served_from
from labline.pipeline.comparing import Comparison, compare
from labline.pipeline.data import Checked, check, prepare
from labline.pipeline.drafting import Drafted, draft
from labline.pipeline.feedback import feedback
from labline.pipeline.monitoring import monitor, monitor_frame
from labline.pipeline.monitoring_history import History, monitor_history
from labline.pipeline.predicting import Predicted, predict, predict_file, score
from labline.pipeline.problem import open_problem
from labline.pipeline.promotion import Promotion, history, holdout_figures, promote, remark, rollback
from labline.pipeline.reporting import Page, report, report_page, report_pages
from labline.pipeline.retraining import Retraining, retrain
from labline.pipeline.rows import Rows, open_rows
from labline.pipeline.training import Trained, leaderboard, train
from labline.pipeline.tuning import tune
from labline.pipeline.up import bring_up
from labline.pipeline.watching import Watched, send_notices, watch

__all__ = [
    "Checked",
    "Comparison",
    "Drafted",
    "History",
    "Page",
    "Predicted",
    "Promotion",
    "Retraining",
    "Rows",
    "Served",
    "Trained",
    "Watched",
    "bring_up",
    "card",
    "champion",
    "check",
    "compare",
    "draft",
    "feedback",
    "history",
    "holdout_figures",
    "leaderboard",
    "monitor",
    "monitor_frame",
    "monitor_history",
    "open_problem",
    "open_rows",
    "predict",
    "predict_file",
    "prepare",
    "promote",
    "remark",
    "report",
    "report_page",
    "report_pages",
    "retrain",
    "rollback",
    "score",
    "send_notices",
    "served",
    "served_from",
    "train",
    "tune",
    "watch",
]
