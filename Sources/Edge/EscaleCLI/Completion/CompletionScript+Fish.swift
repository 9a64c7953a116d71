extension CompletionScript {
    static var fish: String {
        var text = head(.fish) + asking
        for place in CompletionTable.places {
            let at = "__escale_at \(quoted(place.path))"
            text += "\n"
            for (name, summary) in place.next {
                text += "complete -c escale -n \(fishQuoted(at)) -f -a \(fishQuoted(name)) -d \(fishQuoted(summary))\n"
            }
            for option in place.options {
                text += "complete -c escale -n \(fishQuoted(at)) -l \(option.info.long)"
                if let short = option.info.short { text += " -s \(short)" }
                if let value = option.value { text += " \(arguments([value], required: true))" }
                text += " -d \(fishQuoted(option.info.help))\n"
            }
            for index in place.operands.indices {
                let goesOn = place.repeats && index == place.operands.count - 1
                let condition = "\(at) \(goesOn ? "any" : "\(index)")"
                let offers = place.operands[index].filter { $0 != .unknown }
                if offers.isEmpty { continue }
                text += "complete -c escale -n \(fishQuoted(condition)) \(arguments(offers, required: false))\n"
            }
        }
        return text
    }

    private static func arguments(_ offers: [CompletionTable.Offer], required: Bool) -> String {
        let lists = offers.compactMap { offer -> String? in
            switch offer {
            case .services, .images, .projects: "(__escale_list \(offer.code))"
            case .words(let words): words.joined(separator: " ")
            case .directories: "(__fish_complete_directories)"
            case .files, .unknown: nil
            }
        }
        let need = required ? "-r " : ""
        if lists.isEmpty { return offers.contains(.files) ? need + "-F" : need + "-f" }
        return need + "-f -a \(fishQuoted(lists.joined(separator: " ")))"
    }

    private static func fishQuoted(_ text: String) -> String {
        "'" + text.replacing("\\", with: "\\\\").replacing("'", with: "\\'") + "'"
    }

    private static var groups: String { CommandTable.groups.map(\.name).joined(separator: " ") }
    private static var valued: String {
        GlobalOptions.flags.filter { $0.info.value != nil }.flatMap { flag in
            ["--\(flag.info.long)"] + (flag.info.short.map { ["-\($0)"] } ?? [])
        }.joined(separator: " ")
    }

    /// Asks `escale` itself. What only the daemon knows is not asked where none runs: a key press starts nothing.
    private static var asking: String {
        """
        # Finds the commands on the line, the operands after them and the options before them; once for each line.
        function __escale_read
            set -l line (commandline -opc)
            test "$line" = "$__escale_line"; and return
            set -g __escale_line $line
            set -g __escale_path
            set -g __escale_globals
            set -g __escale_operands 0
            set -l isValue 0
            for word in $line[2..]
                if test $isValue = 1
                    set isValue 0
                    set -a __escale_globals $word
                else if string match -q -- '-*' $word
                    if test (count $__escale_path) = 0
                        set -a __escale_globals $word
                        contains -- $word \(valued); and set isValue 1
                    end
                else if test (count $__escale_path) = 0
                    set __escale_path $word
                else if test (count $__escale_path) = 1; and contains -- $__escale_path \(groups)
                    set -a __escale_path $word
                else
                    set __escale_operands (math $__escale_operands + 1)
                end
            end
            # What the last one is set to is only being typed.
            test $isValue = 1; and set -e __escale_globals[-1]
            return 0
        end
        # Whether the line is at that path of commands, and at the operand of that number.
        function __escale_at
            __escale_read
            test "$__escale_path" = "$argv[1]"; or return
            test (count $argv) = 1; or test "$argv[2]" = any; or test "$argv[2]" = "$__escale_operands"
        end
        function __escale_runs
            set -l root $ESCALE_ROOT
            set -l place (contains -i -- --root $__escale_globals); and set root $__escale_globals[(math $place + 1)]
            if test -n "$root"
                test -S $root/run/escaled.sock
            else
                test -S /run/escale/escaled.sock
            end
        end
        function __escale_list
            __escale_read
            set -l ask (commandline -opc)[1] $__escale_globals
            switch $argv[1]
                case services
                    command $ask config --services 2>/dev/null
                case projects
                    __escale_runs; and command $ask ls --all --quiet 2>/dev/null
                case images
                    __escale_runs; and command $ask image ls 2>/dev/null | awk 'NR > 1 && $1 != "<none>" { print $1 ":" $2 }'
            end
        end
        complete -c escale -f
        complete -c escale -l help -s h -d 'Show what it does'

        """
    }
}
