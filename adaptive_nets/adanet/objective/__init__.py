"""The paper's complexity measures, norm balls and theorem 1."""
