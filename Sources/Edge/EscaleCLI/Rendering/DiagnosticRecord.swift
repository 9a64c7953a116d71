import EscaleCore

/// A diagnostic as editors and other programs get it.
struct DiagnosticRecord: Encodable {
    let severity: Diagnostic.Severity
    let code: String
    let message: String
    let file: String?
    let line: Int?
    let column: Int?
    let hint: String?

    init(_ diagnostic: Diagnostic) {
        severity = diagnostic.severity
        code = diagnostic.code.rawValue
        message = diagnostic.message
        file = diagnostic.position?.file
        line = diagnostic.position?.line
        column = diagnostic.position?.column
        hint = diagnostic.hint
    }
}
