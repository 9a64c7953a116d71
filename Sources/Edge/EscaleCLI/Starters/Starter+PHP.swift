/// PHP under Apache, with Composer's libraries where there are any; Laravel.
extension Starter {
    static func laravel(_ survey: DirectorySurvey) -> Starter {
        var starter = apache(
            survey,
            root: "/app/public",
            extensions: ["php-bcmath", "php-curl", "php-intl", "php-mbstring", "php-mysql", "php-sqlite3", "php-xml", "php-zip"],
            isFrontController: true,
            preparing: """

                # What the program writes, as www-data.
                RUN cd /app \\
                    && mkdir -p storage/framework/cache storage/framework/sessions storage/framework/views storage/logs bootstrap/cache \\
                    && chown -R www-data:www-data storage bootstrap/cache

                """
        )
        starter.title = "a Laravel application"
        starter.evidence = "there is artisan"
        starter.volumes = [("storage", "/app/storage", "uploads, sessions, logs")]
        starter.ignored += ["node_modules", "storage/logs/*", "storage/framework/cache/data/*", "public/storage"]
        starter.notes = [
            "APP_KEY belongs in .env; LOG_CHANNEL=stderr there shows the program's words in `escale logs`",
            "SQLite: DB_DATABASE=/app/storage/database.sqlite, since that directory is a volume",
            "after the first start: escale exec web php artisan migrate --force",
        ]
        if survey.has("package.json") { starter.notes.append("run `npm run build` here first: the image takes public/build as it is") }
        return starter
    }

    static func php(_ survey: DirectorySurvey) -> Starter {
        let isPublic = survey.first(of: ["public/index.php", "public/index.html"]) != nil
        var starter = apache(survey, root: isPublic ? "/app/public" : "/app", extensions: [], isFrontController: isPublic)
        starter.title = "a PHP application"
        starter.evidence = survey.has("composer.json") ? "there is composer.json" : "there are .php files"
        starter.notes = ["extensions of PHP are Debian packages, such as php-mysql: add those that it needs in the Dockerfile"]
        return starter
    }

    private static func apache(
        _ survey: DirectorySurvey,
        root: String,
        extensions: [String],
        isFrontController: Bool,
        preparing: String = ""
    ) -> Starter {
        let usesComposer = survey.has("composer.json")
        let composer = """

            # The libraries, by composer.lock where there is one.
            RUN composer install --working-dir /app --no-dev --no-interaction --no-scripts --optimize-autoloader

            """
        return Starter(
            title: "",
            evidence: "",
            port: 8080,
            packages: ["apache2", "libapache2-mod-php"] + extensions + (usesComposer ? ["composer", "unzip"] : []),
            officialImage: "php:8.3-apache" + (usesComposer ? "\nCOPY --from=composer:2 /usr/bin/composer /usr/bin/" : ""),
            instructions: """
                \(apacheSettings(root: root, isFrontController: isFrontController))

                COPY . /app/
                \(usesComposer ? composer : "")\(preparing)
                WORKDIR /app
                # www-data
                USER 33:33
                EXPOSE 8080
                # Requests under way are answered before it ends.
                STOPSIGNAL SIGWINCH
                # Healthy is what accepts connections; a request to a page of your own says more.
                HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \\
                    CMD ["php", "-n", "-r", "exit(@fsockopen('127.0.0.1', 8080, $code, $text, 3) ? 0 : 1);"]
                CMD ["apache2", "-D", "FOREGROUND", "-f", "/etc/apache2/app.conf"]

                """,
            user: "33:33",
            ignored: usesComposer ? ["vendor"] : []
        )
    }

    /// A whole configuration: Debian's own is for a machine, this is for one container without root.
    ///
    /// - Parameter isFrontController: whether index.php answers for every path that is no file.
    private static func apacheSettings(root: String, isFrontController: Bool) -> String {
        """
        COPY <<'EOF' /etc/apache2/app.conf
        ServerName localhost
        Listen 8080
        PidFile /tmp/apache2.pid
        DefaultRuntimeDir /tmp
        IncludeOptional /etc/apache2/mods-available/php*.load
        LoadModule mpm_prefork_module /usr/lib/apache2/modules/mod_mpm_prefork.so
        LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
        LoadModule dir_module /usr/lib/apache2/modules/mod_dir.so
        LoadModule mime_module /usr/lib/apache2/modules/mod_mime.so
        TypesConfig /etc/mime.types
        ServerTokens Prod
        ErrorLog /proc/self/fd/2
        LogFormat "%h %t \\"%r\\" %>s %b %D" requests
        CustomLog /proc/self/fd/1 requests
        DocumentRoot \(root)
        DirectoryIndex index.php index.html
        <Directory />
            Require all denied
        </Directory>
        <Directory \(root)>
            Require all granted
            AllowOverride None
            FallbackResource \(isFrontController ? "/index.php" : "disabled")
        </Directory>
        # Files of the project that are nobody's business.
        <FilesMatch "^(\\.|composer\\.)">
            Require all denied
        </FilesMatch>
        <FilesMatch "\\.php$">
            SetHandler application/x-httpd-php
        </FilesMatch>
        EOF
        """
    }
}
