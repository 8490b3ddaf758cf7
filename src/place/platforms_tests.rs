use std::time::Duration;

use super::*;
use crate::{place::Addresses, place::lock::Lock};

/// A state folder.
struct World(tempfile::TempDir);

impl World {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn state(&self) -> &Path {
        self.0.path()
    }

    fn look(&self) -> Platforms {
        Platforms::look(self.state())
    }

    /// Starts a platform; it runs until the lock is dropped.
    fn up(&self, folder: &str, name: &str, port: u16) -> Lock {
        let folder = self.state().join(folder);
        fs::create_dir_all(&folder).unwrap();
        let gateway = std::net::SocketAddr::from(([127, 0, 0, 1], port));
        let addresses = Addresses { gateway, ..Addresses::default() };
        let stack = Stack::of_folder(&folder).unwrap_or(Stack::Embedded);
        let holder = Holder::new(name.parse().unwrap(), stack, &addresses, Duration::from_secs(1));
        let lock = lock::take(&folder, &holder).unwrap();
        note(self.state(), &folder, &holder).unwrap();
        lock
    }

    fn chosen(&self, name: Option<&str>) -> Result<Option<String>, String> {
        let name = name.map(|name| name.parse().unwrap());
        let wish = Wish { name: name.as_ref(), ..Wish::default() };
        let chosen = self.look().choose(wish).map_err(|error| error.to_string())?;
        Ok(chosen.map(|known| shown(&known.url).to_owned()))
    }

    fn use_(&self, name: &str) {
        let known = self.look().named(&name.parse().unwrap()).unwrap();
        choose(self.state(), Some(&known)).unwrap();
    }
}

fn url(port: u16) -> Result<Option<String>, String> {
    Ok(Some(format!("http://127.0.0.1:{port}")))
}

#[test]
fn the_running_one_wins_when_there_is_only_one() {
    let world = World::new();
    assert_eq!(world.chosen(None), Ok(None));
    let first = world.up("compose", "default", 1);
    let second = world.up("embedded-team", "team", 2);
    let state = world.state().display();
    assert_eq!(
        world.chosen(None).unwrap_err(),
        format!(
            "2 platforms run here, and none is chosen\n  \
             default: compose, http://127.0.0.1:1, data folder {state}/compose\n  \
             team: embedded, http://127.0.0.1:2, data folder {state}/embedded-team"
        )
    );
    assert_eq!(world.chosen(Some("team")), url(2));
    drop(second);
    assert_eq!(world.chosen(None), url(1), "stopping the last one leaves the other one reachable");
    drop(first);
    assert!(
        world.chosen(None).unwrap_err().starts_with("none of the 2 platforms known here is running\n")
    );
}

#[test]
fn a_choice_holds_until_it_is_taken_back_or_its_folder_is_gone() {
    let world = World::new();
    let (_first, second) = (world.up("compose", "default", 1), world.up("embedded-team", "team", 2));
    world.use_("team");
    assert_eq!(world.chosen(None), url(2));
    assert_eq!(world.chosen(Some("default")), url(1), "a name wins over a choice");
    drop(second);
    assert_eq!(world.chosen(None), url(2), "also when it does not run: it is named in the error");
    fs::remove_dir_all(world.state().join("embedded-team")).unwrap();
    assert_eq!(world.chosen(None), url(1));
    world.use_("default");
    choose(world.state(), None).unwrap();
    choose(world.state(), None).unwrap();
    assert_eq!(world.look().chosen, None);
}

#[test]
fn a_name_that_two_have_means_the_one_that_runs() {
    let world = World::new();
    drop(world.up("compose", "default", 1));
    let embedded = world.up("embedded", "default", 2);
    assert_eq!(world.chosen(Some("default")), url(2));
    let _compose = world.up("compose", "default", 1);
    let error = world.chosen(Some("default")).unwrap_err();
    assert!(error.starts_with("2 platforms named 'default' run here\n  default: compose, "), "{error}");
    drop(embedded);
    assert_eq!(world.chosen(Some("default")), url(1));
    assert_eq!(
        world.chosen(Some("nobody")).unwrap_err(),
        "no platform 'nobody' is known here; known platforms: default, default"
    );
}

#[test]
fn a_data_folder_that_is_gone_is_forgotten_by_the_next_start() {
    let world = World::new();
    let elsewhere = tempfile::tempdir().unwrap();
    let folder = elsewhere.path().join("data");
    drop(world.up(folder.to_str().unwrap(), "far", 3));
    assert_eq!(world.chosen(Some("far")), url(3));
    fs::remove_dir_all(&folder).unwrap();
    assert_eq!(world.look().gone, [folder]);
    assert_eq!(world.chosen(None), Ok(None));
    let _other = world.up("embedded", "default", 1);
    assert_eq!(world.look().gone, [] as [PathBuf; 0]);
}

#[test]
fn a_platform_of_an_older_version_is_found() {
    let world = World::new();
    let lock = |folder: &Path, port: u16| {
        fs::create_dir_all(folder).unwrap();
        let file = fs::File::create(folder.join("up.lock")).unwrap();
        file.lock().unwrap();
        let address = |port: u16| format!("127.0.0.1:{port}");
        let text = serde_json::json!({
            "pid": 1, "platform": format!("p{port}"), "gateway": address(port), "registry": address(1),
            "scheduler": address(2), "manager": address(3), "stops_within": 140,
        });
        fs::write(folder.join("up.lock"), text.to_string()).unwrap();
        file
    };
    // The last one to start is in `current.toml`; the other one is only known from its folder.
    let elsewhere = tempfile::tempdir().unwrap();
    let _usual = lock(&world.state().join("embedded-p8"), 8);
    let _elsewhere = lock(elsewhere.path(), 9);
    let current =
        format!("url = 'http://127.0.0.1:9'\ntoken_file = '{}/token'\n", elsewhere.path().display());
    fs::write(world.state().join("current.toml"), current).unwrap();
    assert_eq!(world.chosen(Some("p8")), url(8));
    assert_eq!(world.chosen(Some("p9")), url(9));
    let known = world.look().named(&"p8".parse().unwrap()).unwrap();
    assert_eq!((known.stack, known.is_running), (Some(Stack::Embedded), true));
}

#[test]
fn what_cannot_be_read_is_in_nobodys_way() {
    let world = World::new();
    let _up = world.up("embedded", "default", 1);
    for file in ["platforms/x.toml", "chosen.toml", "current.toml"] {
        fs::write(world.state().join(file), "what = [").unwrap();
    }
    assert_eq!(world.chosen(None), url(1));
}

#[test]
fn the_command_that_starts_a_stopped_one_is_known() {
    let world = World::new();
    drop((world.up("embedded-team", "team", 1), world.up("compose", "default", 2)));
    let up = |name: &str| world.look().named(&name.parse().unwrap()).unwrap().up(world.state());
    assert_eq!(up("team"), "cloudfunc up --embedded --platform team");
    assert_eq!(up("default"), "cloudfunc up");
}
