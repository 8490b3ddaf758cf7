//! The rows' names, as they are printed, and their groups.

use crate::platform::{DOCKER, DOCKER_EMPTY, DOCKER_THIRTY, FOUR, OCI, OCI_EMPTY, OCI_FEW_FILES};

/// Times of one client; times and rates of several.
pub const WARM: &str = "warm";
pub const TOGETHER: &str = "warm, 16 clients";
pub const THROUGHPUT: &str = "throughput";
/// The clients of the goals.
pub const CLIENTS: usize = 16;

pub const CONSTANT: &str = "constant HTTP answer";
pub const FRAME: &str = "bare frame to a guest in a container";
pub const PROTOTYPE: &str = "bare prototype (HTTP, channel, socket)";
pub const RABBITMQ: &str = "bare prototype over RabbitMQ, transient";
pub const DURABLE: &str = "bare prototype over RabbitMQ, persistent";
pub const EMBEDDED_DOCKER: &str = DOCKER.name;
pub const EMBEDDED_OCI: &str = OCI.name;
pub const FOUR_PROCESSES: &str = FOUR.name;

/// A row of throughput.
pub fn with_clients(clients: usize, name: &str) -> String {
    format!("{clients} clients: {name}")
}

/// Calls that servers of others did not answer as expected.
pub const OTHERS: &str = "other servers";

pub const COLD: &str = "cold";
pub const DOCKER_RUN: &str = "docker run --network none python3";
pub const BARE_NONE: &str = "bare engine: create, start, hello, load; no network";
pub const BARE_BRIDGE: &str = "bare engine: the same on the bridge";
pub const BARE_LOAD: &str = "bare engine: load in a container that is there";
pub const BARE_OCI: &str = "bare OCI container: create, start, hello, load";
pub const COLD_EMPTY: &str = "cloudfunc, Docker, nothing prewarmed";
pub const COLD_OCI_EMPTY: &str = "cloudfunc, OCI, nothing prewarmed";
pub const COLD_DOCKER: &str = "cloudfunc, Docker, prewarmed by default";
pub const COLD_OCI: &str = "cloudfunc, OCI, prewarmed by default";
pub const COLD_FOUR: &str = "cloudfunc, four processes, prewarmed by default";

pub const COLD_DOCKER_PACKAGES: &str =
    "cloudfunc, Docker, prewarmed by default, 5,000 files of packages";
pub const COLD_OCI_PACKAGES: &str = "cloudfunc, OCI, prewarmed by default, 5,000 files of packages";

/// From the first request or start to the last answer.
pub const BURST: &str = "burst of 30 functions";
pub const BURST_SIZE: usize = 30;
pub const BURST_DEFAULT: &str = "cloudfunc, Docker, prewarmed by default";
pub const BURST_THIRTY: &str = "cloudfunc, Docker, 30 prewarmed";

/// A row of bare starts.
pub fn bare_burst(at_once: usize) -> String {
    format!("30 bare starts, {at_once} at once")
}

pub fn errors(name: &str) -> String {
    format!("{name}: errors")
}

pub const ACCEPTS: &str = "async accepts, 64 clients";
pub const CONSTANT_ACCEPT: &str = "constant HTTP answer with the body of an accept";
pub const BARE_ACCEPT: &str = "bare HTTP, batched insert, confirmed publish";

/// A row of accepts that are run at once, beside them.
pub fn also_run(name: &str) -> String {
    format!("{name}, run meanwhile")
}

/// Another function's sync calls.
pub const NEIGHBOUR: &str = "noisy neighbour";

pub fn quiet(name: &str) -> String {
    format!("{name}: quiet")
}

pub fn flooded(name: &str) -> String {
    format!("{name}: beside the flood")
}

pub const IDLE: &str = "idle, 20 warm functions";
pub const IDLE_CPU: &str = "processor time of cloudfunc up --embedded, Docker";
pub const IDLE_MEMORY: &str = "resident memory of the same";

/// The platforms of cold starts by their rows.
pub const COLD_SETUPS: [(&str, crate::platform::Setup); 5] = [
    (COLD_EMPTY, DOCKER_EMPTY),
    (COLD_OCI_EMPTY, OCI_EMPTY),
    (COLD_DOCKER, DOCKER),
    (COLD_OCI, OCI),
    (COLD_FOUR, FOUR),
];

pub const BURST_SETUPS: [(&str, crate::platform::Setup); 2] =
    [(BURST_DEFAULT, DOCKER), (BURST_THIRTY, DOCKER_THIRTY)];

/// The platforms of cold starts of functions with packages.
pub const COLD_PACKAGES: [(&str, crate::platform::Setup); 2] =
    [(COLD_DOCKER_PACKAGES, DOCKER), (COLD_OCI_PACKAGES, OCI)];

/// From changed code to its first answer, by commands.
pub const DEPLOYS: &str = "changed code until its first answer";
pub const DOCKER_BUILD: &str = "docker build and docker run, the packages' layer cached";
pub const DEPLOY_DOCKER: &str = "cloudfunc deploy and invoke, Docker";
pub const DEPLOY_OCI: &str = "cloudfunc deploy and invoke, OCI";

/// A deploy with other packages than before, from local wheels.
pub const INSTALLS: &str = "changed packages";
pub const PIP: &str = "pip install from local wheels";
pub const INSTALL_DOCKER: &str = "cloudfunc deploy, Docker";
pub const INSTALL_OCI: &str = "cloudfunc deploy, OCI";

/// Another function's accepts, and the memory of the platform, while large packages are stored.
pub const STORING: &str = "packages being stored";
pub const STORING_MEMORY: &str =
    "cloudfunc up --embedded, Docker: memory while they are stored, more than before";

pub fn storing(name: &str) -> String {
    format!("{name}: accepts meanwhile")
}

pub const NODE: &str = "Node";
pub const NODE_FRAME: &str = "bare frame to a guest of Node in a container";
pub const NODE_SERVER: &str = "an HTTP server of Node in a container";
pub const NODE_ONE: &str = "cloudfunc up --embedded, Docker";
pub const NODE_SIXTEEN: &str = "cloudfunc up --embedded, Docker, 16 at once in one instance";

/// Programs behind interfaces other than the runtime protocol.
pub const INTERFACES: &str = "interfaces";
pub const HOST_SERVER: &str = "http: uvicorn, called directly";
pub const CONTAINER_SERVER: &str = "http: uvicorn in a container, called directly";
pub const HTTP_OCI: &str = "http: uvicorn, cloudfunc, OCI";
pub const HTTP_DOCKER: &str = "http: uvicorn, cloudfunc, Docker";
pub const LAMBDA_API: &str = "lambda: a program behind a bare runtime API";
pub const LAMBDA_OCI: &str = "lambda: the same program, cloudfunc, OCI";
pub const PROCESS: &str = "command: fork, exec and end of cat";
pub const PROCESS_OCI: &str = "command: cat, cloudfunc, OCI";
pub const NATIVE_OCI: &str = "native: first call of cat, cloudfunc, OCI, prewarmed by default";

/// The platforms of web servers by their rows.
pub const HTTP_SETUPS: [(&str, crate::platform::Setup); 2] = [(HTTP_OCI, OCI), (HTTP_DOCKER, DOCKER)];

/// A row of calls that share an instance.
pub fn sixteen(name: &str) -> String {
    format!("{name}, 16 at once in one instance")
}

/// Warm calls, with what decides about who may call, and how often.
pub const ACCESS: &str = "access";
pub const FILE_TOKEN: &str = "the token of the host's file, no limits";
pub const LIMITS: &str = "tokens, limits and audit on";
pub const FILE_TOKEN_OF_MANY: &str = "the token of the host's file, no limits, 100,000 tokens stored";
pub const LIMITS_OF_MANY: &str = "tokens, limits and audit on, 100,000 tokens stored";

/// Functions with addresses, beside the plain route.
pub const HTTP_FUNCTIONS: &str = "HTTP functions";
pub const PLAIN_ROUTE: &str = "the plain route";
pub const HTTP_ADDRESS: &str = "an address of [http]";
pub const PLAIN_ROUTE_TLS: &str = "the plain route over TLS, kept alive";
pub const HTTP_ADDRESS_TLS: &str = "an address of [http] over TLS, kept alive";
/// Calls at an address of new clients.
pub const FEW_FILES: &str = OCI_FEW_FILES.name;

pub fn crowded(name: &str) -> String {
    format!("{name}: beside 1,100 idle connections, 500 half heads and 80 bodies")
}
