"""Wrong calls of metrics: the right type, and a message of four parts."""

import numpy as np
import pytest
from test_wrong_calls import PARTS

from fastnn import metrics

Y, P = np.eye(3)[[0, 1, 2, 0]], np.full((4, 3), 1 / 3)
L = np.array([0, 1, 2, 0])


def nested(depth):
    """A number in lists in lists, more than NumPy has axes."""
    found = 0.5
    for _ in range(depth):
        found = [found]
    return found


ROWS = {
    "threshold-above": (lambda: metrics.Precision(1.5), ValueError, "thresholds: received 1.5"),
    "threshold-below": (lambda: metrics.Recall([0.5, -0.1]), ValueError, "thresholds: received -0.1"),
    "threshold-nan": (lambda: metrics.TruePositives(float("nan")), ValueError, "thresholds: received nan"),
    "threshold-text": (lambda: metrics.FalsePositives("half"), TypeError, "thresholds: received 'half'"),
    "thresholds-nested": (lambda: metrics.TrueNegatives(nested(70)), TypeError, "thresholds: received"),
    "thresholds-nested-auc": (lambda: metrics.AUC(thresholds=nested(70)), TypeError, "thresholds: received"),
    "classes-huge": (lambda: metrics.MeanIoU(2**63), ValueError, "shape: received (9223372036854775808, "),
    "thresholds-empty": (lambda: metrics.TrueNegatives([]), TypeError, "thresholds: received []"),
    "top-k": (lambda: metrics.Precision(top_k=0), ValueError, "top_k: received 0"),
    "top-k-large": (lambda: metrics.Precision(top_k=4)(Y, P), ValueError, "top_k: received 4"),
    "top-k-nothing": (lambda: metrics.top_k_categorical_accuracy([], []), ValueError, "y_true: received"),
    "sorted-k": (lambda: metrics.sparse_top_k_categorical_accuracy(L, P, "", True), TypeError, "k: received ''"),
    "sorted-shape": (lambda: metrics.sparse_top_k_categorical_accuracy(L, L, 1, True), ValueError, "y_pred: received"),
    "threshold-time": (lambda: metrics.Precision(np.timedelta64("NaT")), TypeError, "thresholds: received"),
    "class-id": (lambda: metrics.Precision(class_id=3)(Y, P), ValueError, "class_id: received 3"),
    "class-id-negative": (lambda: metrics.Recall(class_id=-1), ValueError, "class_id: received -1"),
    "recall": (lambda: metrics.PrecisionAtRecall(1.1), ValueError, "recall: received 1.1"),
    "specificity": (lambda: metrics.SensitivityAtSpecificity(-1), ValueError, "specificity: received -1"),
    "num-thresholds": (lambda: metrics.AUC(1), ValueError, "num_thresholds: received 1"),
    "num-thresholds-huge": (lambda: metrics.AUC(2**64), ValueError, "num_thresholds: received 18446744073709551616"),
    "num-thresholds-zero": (lambda: metrics.RecallAtPrecision(0.5, 0), ValueError, "num_thresholds: received 0"),
    "curve": (lambda: metrics.AUC(curve="RO"), ValueError, "'ROC'"),
    "summation": (lambda: metrics.AUC(summation_method="middle"), ValueError, "'interpolation'"),
    "num-labels": (lambda: metrics.AUC(num_labels=3), ValueError, "num_labels: received 3"),
    "labels": (lambda: metrics.AUC(multi_label=True, num_labels=2)(Y, P), ValueError, "(samples, 2)"),
    "label-weights": (lambda: metrics.AUC(label_weights=[1, 2])(Y, P), ValueError, "label_weights"),
    "average": (lambda: metrics.FBetaScore("makro"), ValueError, "'macro'"),
    "beta": (lambda: metrics.FBetaScore(beta=0.0), ValueError, "beta: received 0"),
    "f-threshold": (lambda: metrics.F1Score(threshold=0.0), ValueError, "threshold: received 0"),
    "aggregation": (lambda: metrics.R2Score("uniform"), ValueError, "'uniform_average'"),
    "regressors": (lambda: metrics.R2Score(num_regressors=-1), ValueError, "num_regressors: received -1"),
    "shapes": (lambda: metrics.Precision()(Y[:, :2], P), ValueError, "y_true"),
    "weights": (lambda: metrics.Precision()(Y, P, np.ones(3)), ValueError, "sample_weight"),
    "axis": (lambda: metrics.PearsonCorrelation(axis=2)(Y, P), ValueError, "axis: received 2"),
    "dtype": (lambda: metrics.Precision(dtype="float16"), ValueError, "'float32'"),
    "classes": (lambda: metrics.ConfusionMatrix(0), ValueError, "num_classes: received 0"),
    "class-out-of-range": (lambda: metrics.ConfusionMatrix(2)(L, P[:, :2]), ValueError, "class 2"),
    "matrix-shape": (lambda: metrics.ConfusionMatrix(4).fit_to((None, 3), (None, 3)), ValueError, "num_classes"),
    "iou-ids": (lambda: metrics.IoU(2, [2]), ValueError, "target_class_ids: received 2"),
    "name": (lambda: metrics.get("presicion"), ValueError, "'precision'"),
    "scorer-name": (lambda: metrics.get("balanced_acuracy"), ValueError, "'balanced_accuracy'"),
    "arguments": (lambda: metrics.get("precision_at_recall"), ValueError, "recall"),
    "scorer-of-labels": (lambda: metrics.get("roc_auc", (None,), (None, 3)), ValueError, "'roc_auc_ovr'"),
    "scorer-of-numbers": (lambda: metrics.get("r2", (None,), (None, 3)), ValueError, "a scorer of regression"),
    "scorer-targets": (lambda: metrics.get("f1")(np.array([0.5, 1]), np.array([0.2, 0.4])), ValueError, "classes"),
}


@pytest.mark.parametrize("call, error, part", ROWS.values(), ids=ROWS)
def test_wrong_call(call, error, part):
    with pytest.raises(error) as caught:
        call()
    message = str(caught.value)
    assert part in message and PARTS.fullmatch(message)
