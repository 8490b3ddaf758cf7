/// Answering a call allocates some hundred times: this takes a third of the instructions of the system's allocator. With
/// huge pages (`no_thp` is without) the process would take 30 MiB more.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    cloudfunc::cli::main()
}
