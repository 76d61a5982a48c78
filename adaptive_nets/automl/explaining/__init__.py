"""Why a model predicts what it does: importances, partial dependence, single predictions."""
