/// The access log's lines: JSON with the keys in this order, which ``AccessLogReader`` relies on.
///
/// What a client chose goes through the `json` converter; the request id, address and names hold nothing to escape.
/// `retries` is text, since HAProxy marks a change of server with a plus sign.
enum AccessLogFormat {
    static let http =
        #"{"time":%[date(0,ms)],"status":%ST,"ms":%Ta,"backend":"%b","server":"%si:%sp","end":"%ts","# + common
        + #","id":"%[var(txn.id)]","client":"%ci","method":"%HM","# + #""host":"%[var(txn.host),json(utf8s)]","#
        + #""path":"%[var(txn.path),json(utf8s)]"}"#

    static let tcp =
        #"{"time":%[date(0,ms)],"status":0,"ms":%Tt,"backend":"%b","server":"%si:%sp","end":"%ts","# + tcpCommon
        + #","client":"%ci","host":"%[var(txn.host),json(utf8s)]"}"#

    private static let common =
        #""queue":%Tw,"connect":%Tc,"response":%Tr,"in":%U,"out":%B,"retries":"%rc""#
    private static let tcpCommon = #""queue":%Tw,"connect":%Tc,"in":%U,"out":%B,"retries":"%rc""#
}
