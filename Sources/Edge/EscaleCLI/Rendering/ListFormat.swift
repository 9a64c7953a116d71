/// How to print what commands know: for people, or for programs.
package enum ListFormat: String, CaseIterable, Sendable { case table, json, yaml }

extension Session {
    /// Prints a listing as a table, or as an array of JSON or YAML.
    func printList<Item: Encodable>(_ items: [Item], _ format: ListFormat, table: ([Item]) -> Table) throws {
        try printValue(items, format) { table(items).rendered() }
    }

    /// Prints one value: as the text, or as one of JSON or YAML.
    func printValue(_ value: some Encodable, _ format: ListFormat, text: () -> String) throws {
        switch format {
        case .table: console.write(text())
        case .json: console.write(try JSONText.pretty(value))
        case .yaml: console.write(try YAMLText.document(value))
        }
    }
}
