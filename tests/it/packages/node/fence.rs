//! Attempts of a package's install script to get out of a build.

use cloudfunc::app::Role;
use serde_json::{Value, json};

use super::{
    super::{deploy, fence::own_address, on, registry::Registry},
    MANIFEST, only, package,
};
use crate::{
    escape::planted::Service,
    support::platform::{Stack, TestPlatform},
};

on! {
    sqlite_embedded_oci: a_script_of_a_package_reaches_the_registry_and_nothing_else_of_this_host;
    postgres_rabbitmq_docker: a_script_of_a_package_reaches_the_registry_and_nothing_else_of_this_host;
}

/// Prints what it has found, as JSON.
const ATTEMPT: &str = r"
const [fs, net] = [require('fs'), require('net')];
const connect = ([host, port]) => new Promise((resolve) => {
  const socket = net.connect({ host, port, timeout: 5000 }, () => resolve('reached'));
  socket.on('error', (error) => resolve(error.code)).on('timeout', () => resolve('silence'));
});
const write = (path) => {
  try {
    fs.writeFileSync(path, '');
    return 'written';
  } catch (error) {
    return error.code;
  }
};
(async () => {
  const found = {};
  for (const address of CONNECT) found[address.join(':')] = await connect(address);
  for (const path of WRITE) found[path] = write(path);
  for (const path of READ) found[path] = fs.existsSync(path);
  found.variables = Object.keys(process.env).filter((name) => /TOKEN|CLOUDFUNC/.test(name));
  found.rights = fs.readFileSync('/proc/self/status', 'utf8').match(/(?<=(CapEff|NoNewPrivs):\t).*/g);
  found.isRoot = process.getuid() === 0;
  console.log(`FOUND ${JSON.stringify(found)}`);
  process.exit(0);
})();
";

async fn a_script_of_a_package_reaches_the_registry_and_nothing_else_of_this_host(
    stack: Stack,
    test: &str,
) {
    // It listens on every address of this host.
    let planted = Service::plant();
    let ip = own_address().to_string();
    let listener = tokio::net::TcpListener::bind((ip.as_str(), 0)).await.unwrap();
    let own = listener.local_addr().unwrap();
    let change = only(&format!("http://{own}/npm/"));
    let Some(platform) = TestPlatform::start_with(stack, test, change).await else { return };
    let gateway = platform.address(Role::Gateway);
    let [registry, other, door] = [
        format!("{ip}:{}", own.port()),
        format!("{ip}:{}", planted.port),
        format!("127.0.0.1:{}", gateway.port()),
    ];
    let connect = json!([[ip, own.port()], [ip, planted.port], ["127.0.0.1", gateway.port()]]);
    let write = ["/var/output/own", "/var/task/other", "/opt/packages/other", "/opt/installer/other"];
    let read = [platform.platform.data_dir.join("token"), "/var/run/docker.sock".into()];
    let code = format!(
        "const CONNECT = {connect}, WRITE = {}, READ = {};\n{ATTEMPT}",
        json!(write),
        json!(read)
    );
    let packages = json!([{
        "name": "nosy", "version": "1.0.0", "scripts": {"install": "node nosy.js"}, "files": {"nosy.js": code},
    }]);
    let _registry = Registry::serve_on(listener, packages);
    let code = ("function.mjs", "export const handler = () => 1;\n");
    let wanted = package("\"nosy\": \"1\"");
    let (deployed, told) = deploy(&platform, "f", &[MANIFEST, code, ("package.json", &wanted)]).await;
    deployed.unwrap_or_else(|error| panic!("{error:?}: {told:?}"));
    let line = told.iter().find_map(|line| line.strip_prefix("FOUND "));
    let found: Value = serde_json::from_str(line.unwrap_or_else(|| panic!("{told:?}"))).unwrap();
    assert_eq!((&found[&registry], &found[write[0]]), (&json!("reached"), &json!("written")), "{found}");
    for address in [other, door] {
        let answer = found[&address].as_str().unwrap();
        assert!(["ECONNREFUSED", "EACCES", "EPERM"].contains(&answer), "{address}: {found}");
    }
    for path in &write[1..] {
        let answer = found[*path].as_str().unwrap();
        assert!(["EROFS", "EACCES", "ENOENT"].contains(&answer), "{path}: {found}");
    }
    for path in read {
        assert_eq!(found[path.to_str().unwrap()], false, "{found}");
    }
    assert_eq!(found["variables"], json!([]), "{found}");
    assert_eq!(found["rights"], json!(["0000000000000000", "1"]), "{found}");
    assert_eq!(found["isRoot"], false, "{found}");
    platform.stop().await;
}
