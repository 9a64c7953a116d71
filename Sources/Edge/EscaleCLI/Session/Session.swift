package import EscaleClient
import EscaleCore
package import EscaleSystem

/// What a command has to work with.
package struct Session: Sendable {
    package let globals: GlobalOptions
    package let console: Console
    package let environment: [String: String]
    package let workingDirectory: String
    package let interrupts: Interrupts

    package init(
        globals: GlobalOptions,
        console: Console,
        environment: [String: String],
        workingDirectory: String,
        interrupts: Interrupts = Interrupts()
    ) {
        self.globals = globals
        self.console = console
        self.environment = environment
        self.workingDirectory = workingDirectory
        self.interrupts = interrupts
    }

    package var root: EscaleRoot { EscaleRoot(option: globals.root, environment: environment) }

    /// The daemon, which is started at the first request where it isn't running.
    ///
    /// - Throws: `client.not-root` for anybody but root.
    package func client() throws -> DaemonClient { try DaemonClient(root: root, environment: environment) }

    /// Tells people something that is no result: to standard error.
    package func warn(_ text: String) {
        let style = Style(console.error)
        console.print("\(style.yellow("warning:")) \(text)", to: .error)
    }
}
