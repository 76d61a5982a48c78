"""The files of a `model_dir`: their forms, their seals, and whose they are."""
