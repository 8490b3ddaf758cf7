fn main() -> std::process::ExitCode {
    cloudfunc::cli::main()
}
