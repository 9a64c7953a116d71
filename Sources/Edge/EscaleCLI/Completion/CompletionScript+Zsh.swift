extension CompletionScript {
    static var zsh: String {
        var text = "#compdef escale\n" + head(.zsh)
        text += asking
        text += """
            # What may follow a path of commands: names of commands, flags, each with what it does.
            __escale_next() {
                case $1 in

            """
        for place in CompletionTable.places where !place.next.isEmpty {
            text += "        \(quoted(place.path))) list=(\(described(place.next))) ;;\n"
        }
        text += """
                    *) list=() ;;
                esac
            }
            __escale_flags() {
                case $1 in

            """
        for place in CompletionTable.places where !place.options.isEmpty {
            let flags = place.options.flatMap { option in option.spellings.map { (name: $0, summary: option.info.help) } }
            text += "        \(quoted(place.path))) list=(\(described(flags + [("--help", "Show what it does")]))) ;;\n"
        }
        text += """
                    *) list=('--help:Show what it does') ;;
                esac
            }

            """
        return text + meanings + walking
    }

    private static func described(_ names: [(name: String, summary: String)]) -> String {
        names.map { quoted("\($0.name.replacing(":", with: "\\:")):\($0.summary)") }.joined(separator: " ")
    }

    /// Asks `escale` itself. What only the daemon knows is not asked where none runs: a key press starts nothing.
    private static let asking = """
        __escale_ask() { "${words[1]}" "${globals[@]}" "$@" 2>/dev/null }
        __escale_runs() {
            local root=${ESCALE_ROOT-} place=${globals[(I)--root]}
            ((place > 0)) && root=${globals[place + 1]}
            if [[ -n $root ]]; then [[ -S $root/run/escaled.sock ]]; else [[ -S /run/escale/escaled.sock ]]; fi
        }
        __escale_list() {
            case $1 in
                services) __escale_ask config --services ;;
                projects) __escale_runs && __escale_ask ls --all --quiet ;;
                images) __escale_runs && __escale_ask image ls | awk 'NR > 1 && $1 != "<none>" { print $1 ":" $2 }' ;;
                \\=*) print -l ${=1#=} ;;
            esac
        }

        """

    private static let walking = """
        __escale_offer() {
            local kind found
            for kind in ${(s:,:)1}; do
                case $kind in
                    files) _files ;;
                    directories) _files -/ ;;
                    unknown) ;;
                    *)
                        found=(${(f)"$(__escale_list $kind)"})
                        compadd -a found
                        ;;
                esac
            done
        }

        _escale() {
            local where= word want index operands=0
            local -a globals list found
            for ((index = 2; index < CURRENT; index++)); do
                word=${words[index]}
                if [[ $word == -* ]]; then
                    [[ -n $where ]] || globals+=("$word")
                    [[ $word == --*=* ]] && continue
                    __escale_value "$where" "$word"
                    if [[ -n $want ]]; then
                        ((++index))
                        if ((index >= CURRENT)); then
                            [[ -n $where ]] || globals[-1]=()
                            __escale_offer "$want"
                            return
                        fi
                        [[ -n $where ]] || globals+=("${words[index]}")
                    fi
                else
                    __escale_next "$where"
                    if ((${list[(I)$word:*]})); then where=${where:+$where }$word; else ((operands++)); fi
                fi
            done
            word=${words[CURRENT]}
            if [[ $word == --*=* ]]; then
                __escale_value "$where" "${word%%=*}"
                compset -P '*='
                [[ -n $want ]] && __escale_offer "$want"
            elif [[ $word == -* ]]; then
                __escale_flags "$where"
                _describe -o option list
            else
                __escale_next "$where"
                if ((${#list})); then
                    _describe command list
                else
                    __escale_operand "$where" "$operands"
                    [[ -n $want ]] && __escale_offer "$want"
                fi
            fi
        }
        # As a file of $fpath it is the function's body; with eval or source it has to be made known.
        if [[ ${funcstack[1]-} == _escale ]]; then _escale "$@"; else compdef _escale escale; fi

        """
}
