import EscaleDaemon
import FoundationEssentials
import Glibc

@main struct Main {
    static func main() async {
        exit(await Daemon.run(CommandLine.arguments, environment: ProcessInfo.processInfo.environment))
    }
}
