use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    cloudfunc::cli::main().await
}
