import EscaleCore

/// How names and instructions are written.
extension CheckRun {
    mutating func checkWriting() {
        for line in lines.lines {
            guard let number = line.emptyLine else { continue }
            report(
                .noEmptyContinuation,
                "an instruction goes on over an empty line",
                SourcePosition(file: dockerfile.file, line: number, column: 1)
            )
        }
        checkInstructionCasing()
        checkStageNames()
    }

    private mutating func checkInstructionCasing() {
        let known = lines.lines.filter { DockerfileParser.keywords.contains($0.keyword.uppercased()) }
        let lower = known.count { $0.keyword.isLowercase }
        let upper = known.count { $0.keyword.isUppercase }
        let wantsLower = lower > upper
        for line in known where wantsLower ? !line.keyword.isLowercase : !line.keyword.isUppercase {
            report(
                .consistentInstructionCasing,
                "\(line.keyword) is not in \(wantsLower ? "lower" : "upper") case, as most instructions here are",
                SourcePosition(file: dockerfile.file, line: line.firstLine, column: line.column),
                hint: "write \(wantsLower ? line.keyword.lowercased() : line.keyword.uppercased())"
            )
        }
    }

    private mutating func checkStageNames() {
        var seen: Set<String> = []
        for stage in dockerfile.stages {
            let words = words(at: stage.position)
            guard let name = stage.name, words.count == 3 else { continue }
            let (from, `as`) = (keyword(at: stage.position), words[1])
            if (from.isUppercase && !`as`.text.isUppercase) || (from.isLowercase && !`as`.text.isLowercase) {
                report(.fromAsCasing, "\(from) and \(`as`.text) are not in the same case", `as`.position)
            }
            if words[2].text != name {
                report(
                    .stageNameCasing,
                    "the stage's name \(words[2].text) has capital letters",
                    words[2].position,
                    hint: "write \(name)"
                )
            }
            if ["scratch", "context"].contains(name) {
                report(
                    .reservedStageName,
                    "a stage should not be called \(name), which means something else",
                    words[2].position
                )
            }
            if !seen.insert(name).inserted {
                report(
                    .duplicateStageName,
                    "there is already a stage \"\(name)\"; later instructions see this one",
                    words[2].position
                )
            }
        }
    }
}

extension StringProtocol {
    fileprivate var isLowercase: Bool { lowercased() == self }
    fileprivate var isUppercase: Bool { uppercased() == self }
}
