"""`python -OO` drops docstrings: nothing may need them to be imported."""

# Compiles every module of the package as `-OO` does, in a process that has imported the rest.
CODE = """if True:
    import importlib.abc, importlib.machinery, importlib.util, pkgutil, sys

    class Bare(importlib.machinery.SourceFileLoader):
        def get_code(self, fullname):
            source = self.get_data(self.path)
            return compile(source, self.path, "exec", dont_inherit=True, optimize=2)

    class Finder(importlib.abc.MetaPathFinder):
        def find_spec(self, fullname, path, target=None):
            if fullname.partition(".")[0] != "adaptive_nets":
                return None
            found = importlib.machinery.PathFinder.find_spec(fullname, path)
            if found is not None and found.origin:
                found.loader = Bare(fullname, found.origin)
            return found

    sys.meta_path.insert(0, Finder())
    # It cannot be imported without docstrings itself.
    sys.modules["keras_hub"] = None
    import adaptive_nets
    prefix, count = "adaptive_nets.", 0
    for module in pkgutil.walk_packages(adaptive_nets.__path__, prefix, onerror=lambda name: None):
        if not module.name.endswith("__main__") and ".hub" not in module.name:
            importlib.import_module(module.name)
            count += 1
    print(count, adaptive_nets.AdaNet.__doc__)
"""


def test_the_package_is_imported_without_docstrings(python):
    count, doc = python.run("-c", CODE).stdout.split()
    assert int(count) > 200 and doc == "None"
