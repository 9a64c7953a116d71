extension CompletionScript {
    static var bash: String {
        var text = head(.bash)
        text += asking
        text += """
            # What may follow a path of commands: names of commands, flags.
            __escale_next() {
                case $1 in

            """
        for place in CompletionTable.places where !place.next.isEmpty {
            text += "        \(quoted(place.path))) list=\(quoted(place.next.map(\.name).joined(separator: " "))) ;;\n"
        }
        text += """
                    *) list= ;;
                esac
            }
            __escale_flags() {
                case $1 in

            """
        for place in CompletionTable.places where !place.options.isEmpty {
            let spellings = (place.options.flatMap(\.spellings) + ["--help"]).joined(separator: " ")
            text += "        \(quoted(place.path))) list=\(quoted(spellings)) ;;\n"
        }
        text += """
                    *) list=--help ;;
                esac
            }

            """
        return text + meanings + walking
    }

    /// Asks `escale` itself. What only the daemon knows is not asked where none runs: a key press starts nothing.
    private static let asking = """
        __escale_ask() { "${COMP_WORDS[0]}" "${globals[@]}" "$@" 2>/dev/null; }
        __escale_runs() {
            local root=${ESCALE_ROOT-} index
            for ((index = 0; index < ${#globals[@]}; index++)); do
                [[ ${globals[index]} == --root ]] && root=${globals[index + 1]}
            done
            if [[ -n $root ]]; then [[ -S $root/run/escaled.sock ]]; else [[ -S /run/escale/escaled.sock ]]; fi
        }
        __escale_list() {
            case $1 in
                services) __escale_ask config --services ;;
                projects) __escale_runs && __escale_ask ls --all --quiet ;;
                images) __escale_runs && __escale_ask image ls | awk 'NR > 1 && $1 != "<none>" { print $1 ":" $2 }' ;;
                =*) printf '%s\\n' "${1#=}" ;;
            esac
        }

        """

    private static let walking = """
        __escale_offer() {
            local kind whole=$current back=$COMP_CWORD stem
            # The shell takes `name:tag` for three words.
            while ((back > 1)) && [[ ${COMP_WORDS[back]} == : || ${COMP_WORDS[back - 1]} == : ]]; do
                whole=${COMP_WORDS[--back]}$whole
            done
            stem=${whole%"${whole##*:}"}
            case $1 in
                files | directories)
                    compopt -o filenames
                    mapfile -t COMPREPLY < <(compgen -A "$([[ $1 == files ]] && echo file || echo directory)" -- "$current")
                    return
                    ;;
                *directories*) mapfile -t COMPREPLY < <(compgen -d -- "$current") ;;
            esac
            local IFS=,
            for kind in $1; do
                IFS=$' \\t\\n'
                mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -W "$(__escale_list "$kind")" -- "$whole")
            done
            COMPREPLY=("${COMPREPLY[@]#"$stem"}")
        }

        _escale() {
            local current=${COMP_WORDS[COMP_CWORD]} path= word want list index operands=0 globals=()
            COMPREPLY=()
            for ((index = 1; index < COMP_CWORD; index++)); do
                word=${COMP_WORDS[index]}
                if [[ $word == -* ]]; then
                    __escale_value "$path" "$word"
                    [[ -n $path ]] || globals+=("$word")
                    if [[ -n $want ]]; then
                        ((++index))
                        if [[ ${COMP_WORDS[index]} == = ]]; then
                            ((index == COMP_CWORD)) && current=
                            ((index < COMP_CWORD && ++index))
                        fi
                        if ((index >= COMP_CWORD)); then
                            [[ -n $path ]] || unset 'globals[-1]'
                            __escale_offer "$want"
                            return
                        fi
                        [[ -n $path ]] || globals+=("${COMP_WORDS[index]}")
                    fi
                else
                    __escale_next "$path"
                    if [[ " $list " == *" $word "* ]]; then path=${path:+$path }$word; else ((operands++)); fi
                fi
            done
            if [[ $current == -* ]]; then
                __escale_flags "$path"
                mapfile -t COMPREPLY < <(compgen -W "$list" -- "$current")
                return
            fi
            __escale_next "$path"
            if [[ -n $list ]]; then
                mapfile -t COMPREPLY < <(compgen -W "$list" -- "$current")
            else
                __escale_operand "$path" "$operands"
                [[ -n $want ]] && __escale_offer "$want"
            fi
        }
        complete -F _escale escale

        """
}
