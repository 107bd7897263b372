"""Who imports whom: data flows one way, and heavy libraries wait until they are used."""

import ast
import pathlib
import subprocess
import sys

import pytest

import keras_vae

ROOT = pathlib.Path(keras_vae.__file__).parent
# A file imports only from files above it. A folder stands for its files, which import from above the folder.
ORDER = [
    "lazy",
    "runtime",
    "stopping",
    "backends",
    "files",
    "command_line",
    "checksums",
    "densities",
    "fused",
    "graphs",
    "gradients",
    "soundness",
    "inputs",
    "principal",
    "devices",
    "pace",
    "workers",
    "layers",
    "window",
    "faster",
    "flows",
    "quantizer",
    "likelihoods",
    "samplers",
    "priors",
    "latents",
    "networks",
    "corruptions",
    "data",
    "datasets",
    "objectives",
    "model",
    "catalogue",
    "autoencoder",
    "figures",
    "config",
    "runs",
    "callbacks",
    "export",
    "training",
    "evaluation",
    "report",
    "single_page",
    "explorer",
    "serving",
    "cli",
    "sweep",
]
HEAVY = {"tensorflow", "keras", "sklearn", "matplotlib", "tensorflow_datasets", "PIL"}
FILES = sorted(path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py")


def layer_of(path):
    """The name in ORDER that the file `path` belongs to."""
    return path.relative_to(ROOT).with_suffix("").parts[0]


def imports(nodes):
    """The modules that the statements in `nodes` import, dotted."""
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
    """The nodes that run when a module is imported: all but the bodies of functions."""
    todo = [tree]
    while todo:
        node = todo.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            todo.extend(ast.iter_child_nodes(node))


def test_the_order_names_every_file():
    assert {layer_of(path) for path in FILES} <= set(ORDER)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_file_imports_only_from_above(path):
    own = layer_of(path)
    for module in imports(ast.walk(ast.parse(path.read_text()))):
        package, _, rest = module.partition(".")
        if package != "keras_vae":
            continue
        layer = rest.partition(".")[0]
        assert layer in ORDER, f"{module} is not in the order"
        within = layer == own and path.parent != ROOT  # siblings of one folder
        assert within or ORDER.index(layer) < ORDER.index(own), f"{own} imports {layer}, which is below it"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_file_imports_a_heavy_library_before_it_is_used(path):
    modules = imports(top_level(ast.parse(path.read_text())))
    assert {module.partition(".")[0] for module in modules} & HEAVY == set()


def python(code, *arguments):
    run = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr[-2000:]
    return run.stdout


def test_the_package_alone_imports_no_heavy_library():
    out = python(f"import sys, keras_vae; print(sorted({HEAVY!r} & set(sys.modules)))")
    assert out.strip() == "[]"


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    from keras_vae.model.autoencoder import VAE
    from keras_vae.model.networks import Convolutional

    path = tmp_path_factory.mktemp("saved") / "model.keras"
    VAE((4, 4, 1), 2, network=Convolutional(widths=(2,), dense=0)).save(path)
    return str(path)


@pytest.mark.parametrize(
    "order",
    ["keras_vae, keras", "keras, keras_vae", "tensorflow, keras_vae, keras", "keras_vae, tensorflow, keras"],
)
def test_a_saved_model_loads_in_whatever_order_the_packages_are_imported(order, saved):
    code = f"import sys, {order}\nprint(type(keras.saving.load_model(sys.argv[1])).__module__)"
    assert python(code, saved).strip() == "keras_vae.model.autoencoder"


def test_a_saved_model_loads_through_tensorflow_alone_after_the_package(saved):
    code = "import sys, keras_vae, tensorflow as tf\nprint(type(tf.keras.models.load_model(sys.argv[1])).__name__)"
    assert python(code, saved).strip() == "VAE"


def test_every_public_name_can_be_imported():
    for name in keras_vae.__all__:
        assert getattr(keras_vae, name) is not None
