/// Query parameters in their order, decoded.
package struct HTTPQuery: Hashable, Sendable, ExpressibleByDictionaryLiteral {
    package struct Parameter: Hashable, Sendable {
        package let name: String
        package let value: String
    }

    package private(set) var parameters: [Parameter] = []

    package init() {}

    package init(dictionaryLiteral elements: (String, String)...) {
        parameters = elements.map { Parameter(name: $0.0, value: $0.1) }
    }

    /// The first value of that name; empty for a name without one (`?all`).
    package subscript(name: String) -> String? { parameters.first { $0.name == name }?.value }

    /// All values of that name, in their order.
    package func all(_ name: String) -> [String] { parameters.filter { $0.name == name }.map(\.value) }

    package mutating func add(_ name: String, _ value: String) {
        parameters.append(Parameter(name: name, value: value))
    }

    /// As it stands after `?`; empty without parameters.
    package var encoded: String {
        parameters.map { PercentCoding.encode($0.name) + "=" + PercentCoding.encode($0.value) }
            .joined(separator: "&")
    }
}
