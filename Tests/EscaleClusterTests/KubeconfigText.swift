/// A kubeconfig with one context, `shop`, of the cluster `c` and the user `u`; their fields are given one a line.
struct KubeconfigText {
    var cluster = "server: https://a.example:6443"
    var user = ""
    var context = ""

    var text: String {
        func block(_ text: String) -> String { text.split(separator: "\n").map { "      \($0)\n" }.joined() }
        return """
            apiVersion: v1
            kind: Config
            current-context: shop
            clusters:
              - name: c
                cluster:
            \(block(cluster))users:
              - name: u
                user:
            \(block(user))contexts:
              - name: shop
                context:
                  cluster: c
                  user: u
            \(block(context))
            """
    }
}
