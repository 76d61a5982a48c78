"""Valid calls of all public functions."""

import calls_data
import calls_layers
import calls_methods
import calls_models
import calls_search
import calls_service
import calls_serving
import calls_tasks

CALLS = (
    *calls_search.CALLS,
    *calls_tasks.CALLS,
    *calls_data.CALLS,
    *calls_models.CALLS,
    *calls_layers.CALLS,
    *calls_methods.CALLS,
    *calls_service.CALLS,
    *calls_serving.CALLS,
)
