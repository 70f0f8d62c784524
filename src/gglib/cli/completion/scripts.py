"""The completion scripts of the shells."""

BASH = r"""# Completion of gglib for bash. Put this line into ~/.bashrc:
#   eval "$(gglib completion bash)"
_gglib() {
    local program=${1/#\~/$HOME} kind reply
    COMPREPLY=()
    while IFS= read -r reply; do
        if [[ -z $kind ]]; then kind=$reply; else COMPREPLY+=("$reply"); fi
    done < <("$program" __complete bash "${COMP_LINE:0:$COMP_POINT}" "$COMP_WORDBREAKS" 2>/dev/null)
    [[ $kind == file || $kind == dir ]] || return 0
    if type compopt >/dev/null 2>&1; then  # bash 4 and newer
        if [[ $kind == dir ]]; then compopt -o dirnames; else compopt -o default; fi
    elif [[ $kind == dir ]]; then
        while IFS= read -r reply; do COMPREPLY+=("$reply"); done < <(compgen -d -- "$2")
    else
        while IFS= read -r reply; do COMPREPLY+=("$reply"); done < <(compgen -f -- "$2")
    fi
}
complete -o nosort -F _gglib gglib 2>/dev/null || complete -F _gglib gglib
"""

ZSH = r"""#compdef gglib
# Completion of gglib for zsh. Put this line into ~/.zshrc, after compinit:
#   eval "$(gglib completion zsh)"
_gglib() {
    local program=${(Q)words[1]/#\~/$HOME} kind line
    local -a answer values shown
    answer=("${(@f)$("$program" __complete zsh "${(@Q)words[1,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)}")
    kind=$answer[1]
    for line in "${(@)answer[2,-1]}"; do
        values+=("${line%%$'\t'*}")
        line=${line/$'\t'/  }
        shown+=("${line%  }")
    done
    if (( $#values )); then
        compadd -U -V gglib -l -d shown -a values
    elif [[ $kind == file ]]; then
        [[ $PREFIX == --*=* ]] && compset -P '--*='
        _files
    elif [[ $kind == dir ]]; then
        [[ $PREFIX == --*=* ]] && compset -P '--*='
        _files -/
    fi
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _gglib "$@"
else
    (( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
    compdef _gglib gglib
fi
"""

FISH = r"""# Completion of gglib for fish. Install it with:
#   gglib completion fish > ~/.config/fish/completions/gglib.fish
function __gglib_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l program (string replace -r '^~(?=/)' -- $HOME $words[1])
    set -l answer (command $program __complete fish $words "$current" 2>/dev/null)
    set -l option (string match -r -- '^--[^=]*=' "$current")
    set -l path (string replace -r -- '^--[^=]*=' '' "$current")
    switch "$answer[1]"
        case file
            printf "$option%s\n" (complete -C "'' $path")
        case dir
            printf "$option%s\n" (complete -C "'' $path" | string match '*/*')
    end
    if set -q answer[2]
        printf '%s\n' $answer[2..-1]
    end
end
complete -c gglib -f -k -a '(__gglib_complete)'
"""

SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}
"""The script by the name of the shell."""
