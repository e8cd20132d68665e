"""Google-managed certificates: ManagedCertificates, the SslCertificates behind them, and their issuing."""
