"""A py_test whose file is handed to pytest."""

load("@rules_python//python:py_test.bzl", "py_test")

def pytest_test(name, srcs, deps = [], data = [], **kwargs):
    py_test(
        name = name,
        srcs = srcs + ["//tests:run_pytest.py"],
        args = ["$(rootpath %s)" % src for src in srcs],
        data = data + ["//:pyproject.toml"],
        main = "//tests:run_pytest.py",
        deps = deps + [
            "//tests:conftest",
            "@pip//pytest",
        ],
        **kwargs
    )
