import EscaleCLI
import Glibc

@main
struct Main {
    static func main() async { exit(await EscaleCLI.run(CommandLine.arguments)) }
}
