"""Who imports whom: rooms import from the rooms above them, and heavy libraries wait until they are used."""

import ast
import collections
import pathlib
import subprocess
import sys

import pytest

import keras_vae

ROOT = pathlib.Path(keras_vae.__file__).parent
# A room imports only from rooms above it. `__main__.py` starts the command of its room, which is in `cli`.
ROOMS = [
    "errors",
    "runtime",
    "config",
    "layers",
    "samplers",
    "presets",
    "model",
    "data",
    "export",
    "training",
    "parallel",
    "evaluation",
    "report",
    "explorer",
    "serving",
    "sweep",
    "cli",
]
HEAVY = {"tensorflow", "keras", "sklearn", "matplotlib", "tensorflow_datasets", "PIL"}
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(ROOT.rglob("*.py"))}


def room_of(path):
    """The room of a file of the package."""
    return "cli" if path.name == "__main__.py" else path.relative_to(ROOT).with_suffix("").parts[0]


def imports(nodes):
    """The modules that statements import, dotted."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            if node.module == "keras_vae":
                yield from (f"keras_vae.{name.name}" for name in node.names)
            else:
                yield node.module


def top_level(tree):
    """The nodes that run when a module is imported: all but the bodies of functions and what type checkers read."""
    todo = [tree]
    while todo:
        node = todo.pop()
        yield node
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            todo.extend(node.orelse)
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            todo.extend(ast.iter_child_nodes(node))


def test_there_are_rooms_and_no_loose_modules():
    entries = {path.stem for path in ROOT.iterdir() if path.suffix == ".py" or any(path.glob("*.py"))}
    assert entries == {"__init__", *ROOMS}
    assert [path.name for path in ROOT.glob("*.py")] in (
        ["__init__.py", "errors.py"],
        ["errors.py", "__init__.py"],
    )


def test_a_room_imports_only_from_above():
    wrong = []
    for path, tree in TREES.items():
        own = room_of(path)
        for module in imports(ast.walk(tree)) if own != "__init__" else ():
            package, _, rest = module.partition(".")
            room = rest.partition(".")[0]
            if package == "keras_vae" and room != own and ROOMS.index(room) > ROOMS.index(own):
                wrong.append(f"{path.relative_to(ROOT)} imports {module}")
    assert not wrong


def test_a_room_says_what_is_in_it():
    for room in ROOMS[1:]:
        text = ast.get_docstring(TREES[ROOT / room / "__init__.py"])
        assert "Imports:" in text, room
        assert "Begin with" in text, room


def test_a_class_name_stands_once():
    names = collections.Counter(
        node.name for tree in TREES.values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)
    )
    assert [name for name, count in names.items() if count > 1] == []


def test_no_file_imports_a_heavy_library_before_it_is_used():
    wrong = [
        f"{path.relative_to(ROOT)} imports {module}"
        for path, tree in TREES.items()
        for module in imports(top_level(tree))
        if module.partition(".")[0] in HEAVY
    ]
    assert not wrong


def python(code, *arguments):
    run = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr[-2000:]
    return run.stdout


@pytest.mark.parametrize("command", ["train", "evaluate", "sweep"])
def test_a_command_says_how_it_is_used_without_heavy_libraries(command):
    code = f"""
import sys
import keras_vae_commands
sys.argv = ["{command}", "--help"]
try:
    keras_vae_commands.{command}()
except SystemExit as exit:
    assert exit.code in (0, None)
print(sorted({HEAVY!r} & set(sys.modules)))
"""
    assert python(code).splitlines()[-1] == "[]"


@pytest.mark.long
def test_a_package_of_somebody_else_that_is_run_registers_our_classes(tmp_path):
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "__init__.py").write_text("import keras_vae\n")
    (tmp_path / "theirs" / "__main__.py").write_text(
        "import keras\nprint(keras.saving.get_registered_object('keras_vae>VAE').__name__)\n"
    )
    run = subprocess.run(
        [sys.executable, "-m", "theirs"], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert (run.returncode, run.stdout.strip()) == (0, "VAE"), run.stderr[-2000:]


@pytest.mark.long
def test_the_package_registers_its_classes_and_replaces_no_loader():
    code = """
import sys
before = list(sys.meta_path)
import keras_vae, keras
names = {type(finder).__module__.partition(".")[0] for finder in sys.meta_path if finder not in before}
print(keras.saving.get_registered_object("keras_vae>VAE").__name__, "keras_vae" in names)
"""
    assert python(code).strip() == "VAE False"


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    from keras_vae.model.autoencoder import VAE
    from keras_vae.model.networks import Convolutional

    path = tmp_path_factory.mktemp("saved") / "model.keras"
    VAE((4, 4, 1), 2, network=Convolutional(widths=(2,), dense=0)).save(path)
    return str(path)


@pytest.mark.long
@pytest.mark.parametrize(
    "order",
    ["keras_vae, keras", "keras, keras_vae", "tensorflow, keras_vae, keras", "keras_vae, tensorflow, keras"],
)
def test_a_saved_model_loads_in_whatever_order_the_packages_are_imported(order, saved):
    code = f"import sys, {order}\nprint(type(keras.saving.load_model(sys.argv[1])).__module__)"
    assert python(code, saved).strip() == "keras_vae.model.autoencoder"


@pytest.mark.long
def test_a_saved_model_loads_through_tensorflow_alone_after_the_package(saved):
    code = "import sys, keras_vae, tensorflow as tf\nprint(type(tf.keras.models.load_model(sys.argv[1])).__name__)"
    assert python(code, saved).strip() == "VAE"


def test_every_public_name_can_be_imported():
    for name in keras_vae.__all__:
        assert getattr(keras_vae, name) is not None
