"""Valid calls of all public functions."""

from wrong_calls import calls_models, calls_search, calls_service, calls_serving, calls_tasks

CALLS = (
    *calls_search.CALLS,
    *calls_tasks.CALLS,
    *calls_models.CALLS,
    *calls_service.CALLS,
    *calls_serving.CALLS,
)
