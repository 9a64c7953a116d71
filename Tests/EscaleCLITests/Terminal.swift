import EscaleCLI
import EscaleCore
import Synchronization

/// What a command line printed, and how it ended.
struct Outcome: Sendable {
    let code: Int32
    let output: String
    let error: String
}

/// Catches what is printed.
final class Terminal: Sendable {
    private struct State {
        var output = ""
        var error = ""
    }

    private let state = Mutex(State())
    let size: Console.Size
    let device: Console.Device

    init(_ device: Console.Device = .plain, columns: Int = 80, rows: Int = 24) {
        self.device = device
        size = Console.Size(columns: columns, rows: rows)
    }

    var output: String { state.withLock(\.output) }
    var error: String { state.withLock(\.error) }

    var console: Console {
        Console(output: device, error: device, measure: { self.size }) { stream, bytes in
            let text = String(decoding: bytes, as: UTF8.self)
            self.state.withLock { state in
                switch stream {
                case .output: state.output += text
                case .error: state.error += text
                }
            }
        }
    }

    /// Runs `escale` with these words.
    func run(
        _ words: [String],
        in directory: String = "/",
        environment: [String: String] = [:],
        interrupts: Interrupts = Interrupts()
    ) async -> Outcome {
        let code = await EscaleCLI.run(
            words,
            environment: environment,
            workingDirectory: directory,
            interrupts: interrupts,
            console: { _ in self.console }
        )
        return Outcome(code: code, output: output, error: error)
    }
}

/// Runs `escale` with these words, off a terminal.
func escale(
    _ words: String...,
    in directory: String = "/",
    environment: [String: String] = [:]
) async -> Outcome {
    await Terminal().run(words, in: directory, environment: environment)
}
