"""How the documentation site is built (`make docs`).

The source folder is the repository, so that README.md, ARCHITECTURE.md and the notebooks have the same paths, and
their links the same targets, on a forge and in the site.
"""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE / "extensions")]

import dfslab  # noqa: E402

project = "dfslab"
author = "the authors of dfslab"
version = release = dfslab.__version__
html_title = f"dfslab {version}"

root_doc = "docs/index"
include_patterns = [
    "README.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "docs/**",
    "notebooks/*.ipynb",
    "benchmarks/RESULTS.md",
    "data/sample_videos/README.md",
]
exclude_patterns = [".*", "**/.*", "**/__pycache__", "artifacts", "build", "dist", "dfslab", "tests"]

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx_click",
    "sphinx_copybutton",
    "sphinx_design",
    "answers",
    "mathml",
    "names",
    "registries",
]

# Markdown, and notebooks with the outputs that they were committed with.
myst_enable_extensions = ["amsmath", "colon_fence", "dollarmath"]
myst_heading_anchors = 4
myst_dmath_allow_space = False
myst_dmath_allow_digits = False
nb_execution_mode = "off"
nb_merge_streams = True
nb_ipywidgets_js = {}  # the scripts would come from elsewhere; a widget's HTML is shown instead of it
nb_mime_priority_overrides = [("html", "application/vnd.jupyter.widget-view+json", None)]

# The reference, from docstrings.
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
autosummary_generate = False
napoleon_google_docstring = False
napoleon_custom_sections = [("Attributes", "params_style")]
napoleon_use_param = False
python_maximum_signature_line_length = 90
default_role = "name"
nitpicky = True
nitpick_ignore_regex = [
    ("py:obj", ".*"),  # in a docstring, backticks are for any piece of code: a link where it names something
    ("py:class", r"dfslab\.(runtime\..*|lab\.network_faults\.Unchanged|sim\.faults\.Fault)"),
    ("py:class", r"(?!dfslab\.).*"),  # other packages' types, and what a docstring says of one in words
]

names_without_signature = (
    "dfslab.cluster.Cluster",
    "dfslab.lab.nemesis.Nemesis",
    "dfslab.lab.playing.Playing",
    "dfslab.lab.undoing.Fault",
    "dfslab.views.exports.Events",
    "dfslab.views.plots.Plots",
    "dfslab.views.replay.Replay",
    "dfslab.views.tables.lookup_table",
    "dfslab.views.tables.keepers",
    "dfslab.views.tables.files",
    "dfslab.views.tables.events",
    "dfslab.views.tables.transfers",
    "dfslab.views.compare.compare",
)

smartquotes = False  # two hyphens are an option of a command

html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_extra_path = ["root"]
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
html_theme_options = {"navigation_with_keys": True}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
