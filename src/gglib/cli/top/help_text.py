"""The keys of ``gglib top``, as its help and its last line show them."""

KEY_LINES = (
    " q quit  Tab panel  j k select  u unload  p pin  c cancel  l load  s sort  / filter  Space pause  ? help",
    " q quit  Tab panel  j k select  u unload  p pin  c cancel  / filter  ? help",
    " q quit  u unload  p pin  c cancel  ? help",
    " q quit  ? help",
)
"""The longest first."""
HELP_LINES = (
    "",
    "  j k, arrows    select a row",
    "  Tab            switch between models and requests",
    "  u              unload the selected model; asks if it serves requests",
    "  p              pin the selected model, or unpin it",
    "  l              load a model: type its name",
    "  c              cancel the selected request",
    "  s              next order of the rows of the panel",
    "  /              show only rows with a text; an empty text shows all",
    "  Space          pause the view, or go on; the server is not paused",
    "  q, Esc, Ctrl-C quit; the server goes on",
    "",
    "  RUNS IN        expected time until waiting requests run; > marks a minimum",
    "  TOKENS         parts of the response so far, of most streams tokens",
    "  TOK/S, REQ/S   means over the last 5 seconds",
    "  TOOK           of a swap, with the wait of the request for it",
    "  ~              expected memory, not measured yet",
    "",
    "  Any key closes this help.",
)
