/// Scripts that teach shells the table of commands.
enum CompletionScript {
    enum Shell: String, CaseIterable, Sendable { case bash, zsh, fish }

    static func text(for shell: Shell) -> String {
        switch shell {
        case .bash: bash
        case .zsh: zsh
        case .fish: fish
        }
    }

    static func head(_ shell: Shell) -> String {
        "# \(shell.rawValue) completion for escale, written by `escale completion \(shell.rawValue)`.\n"
    }

    /// A text as one word of a shell.
    static func quoted(_ text: String) -> String { "'" + text.replacing("'", with: "'\\''") + "'" }

    /// The functions that say what is to be written where, the same for bash and zsh.
    static var meanings: String {
        """
        # What a flag's value is; empty for a switch.
        __escale_value() {
            case "$1 $2" in
        \(valueCases("        "))        *) want= ;;
            esac
        }
        # What the operand of that number is.
        __escale_operand() {
            case "$1 $2" in
        \(operandCases("        "))        *) want= ;;
            esac
        }

        """
    }

    /// Lines of a `case` over the path of commands and a flag: what the flag's value is.
    static func valueCases(_ indent: String) -> String {
        CompletionTable.places.flatMap { place in
            place.options.compactMap { option in
                option.value.map { value in
                    let patterns = option.spellings.map { quoted("\(place.path) \($0)") }.joined(separator: " | ")
                    return "\(indent)\(patterns)) want=\(quoted(value.code)) ;;\n"
                }
            }
        }.joined()
    }

    /// Lines of a `case` over the path of commands and the number of an operand: what it is.
    static func operandCases(_ indent: String) -> String {
        CompletionTable.places.flatMap { place in
            place.operands.indices.map { index in
                let goesOn = place.repeats && index == place.operands.count - 1
                let pattern = quoted("\(place.path) ") + (goesOn ? "*" : "\(index)")
                let want = place.operands[index].map(\.code).joined(separator: ",")
                return "\(indent)\(pattern)) want=\(quoted(want)) ;;\n"
            }
        }.joined()
    }
}
