"""What people ask of a prediction, measured: intervals, probabilities, deviances, tuned settings.

Each module is a part: it lists its tables and systems, and measures one system on one split.
"""
