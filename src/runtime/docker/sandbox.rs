//! The rights of a container. Nothing here comes from a user unchecked.

use std::{collections::HashMap, path::Path};

use bollard::models::{
    ContainerCreateBody, HealthConfig, HostConfig, HostConfigCgroupnsModeEnum, HostConfigLogConfig,
    Mount, MountTmpfsOptions, MountType, ResourcesUlimits,
};

use super::network::{self, Purpose};
use crate::{
    model::{Language, Network},
    runtime::{
        Entry, Error, Image, OUTPUT, OUTPUT_PATH, Owner, PACKAGES_PATH, Spec, TASK_PATH, WHEELS_PATH,
        entry,
        guest::run_folder,
        limits::{
            ACCOUNT, CPU_SHARES, OPEN_FILES, PIDS, RUN_PATH, SHM_BYTES, TMP_BYTES, core_bytes,
            cpus_of_instance,
        },
    },
};

/// The ids of user and group; no account of the host or of an image has them.
pub(super) const USER: &str = "65532:65532";

/// The folder for temporary files.
const TMP: &str = "/tmp";

/// Returns the labels of everything that an owner made.
pub(super) fn owner_filter(owner: &Owner) -> Vec<String> {
    vec![
        format!("cloudfunc.platform={}", owner.platform),
        format!("cloudfunc.manager={}", owner.manager),
    ]
}

/// Returns the container's name, which `docker ps` shows to people. The end of an instance's id is its random part.
pub(super) fn name(owner: &Owner, spec: &Spec) -> String {
    let instance = spec.instance.0.simple().to_string();
    let function = if spec.function.is_empty() { "prewarmed" } else { &spec.function };
    format!("cloudfunc-{}-{function}-{}", owner.platform, &instance[instance.len() - 12..])
}

/// Makes the folders that are mounted.
pub(super) fn prepare(spec: &Spec) -> Result<(), Error> {
    if mounts_code(&spec.image) { spec.make_task_folder() } else { Ok(()) }
}

fn mounts_code(image: &Image) -> bool {
    matches!(image, Image::Language { .. })
}

/// Returns the request that creates a container; `entrypoint` takes the place of the image's own command, `volumes` are the
/// folders that the image wants to be writable, `group` is the control group above the container's own.
pub(super) fn body(
    owner: &Owner,
    spec: &Spec,
    image: &str,
    entrypoint: Option<Vec<String>>,
    volumes: &[String],
    group: Option<String>,
) -> ContainerCreateBody {
    ContainerCreateBody {
        image: Some(image.to_owned()),
        hostname: Some("function".to_owned()),
        user: Some(user(spec)),
        env: Some(environment(spec)),
        // With one, the engine takes nothing of the image's own command.
        entrypoint,
        working_dir: working_folder(spec),
        healthcheck: Some(HealthConfig { test: Some(vec!["NONE".to_owned()]), ..Default::default() }),
        // An empty network namespace of its own; takes a third of the time of network mode `none`.
        network_disabled: Some(spec.network == Network::None),
        labels: Some(labels(owner, spec)),
        host_config: Some(HostConfig { cgroup_parent: group, ..host_config(owner, spec, volumes) }),
        ..Default::default()
    }
}

/// Returns the ids of user and group. What a build writes is the platform's to remove: where that is not root, they are its
/// own.
fn user(spec: &Spec) -> String {
    let (user, group) = (rustix::process::geteuid(), rustix::process::getegid());
    match spec.build.is_some() && !user.is_root() {
        true => format!("{}:{}", user.as_raw(), group.as_raw()),
        false => USER.to_owned(),
    }
}

fn environment(spec: &Spec) -> Vec<String> {
    let usual = ACCOUNT.iter().chain(of_base_image(&spec.image)).copied();
    let usual = usual.filter(|(name, _)| !spec.env.contains_key(*name));
    let given = spec.env.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    usual.chain(given).map(|(name, value)| format!("{name}={value}")).collect()
}

/// Returns the language of the platform's images.
fn language_of(image: &Image) -> Option<Language> {
    match image {
        Image::Language { language, version: _ } => Some(*language),
        Image::Function { language, version: _, tag: _, bundle: _ } => Some(*language),
        Image::Own { .. } | Image::Dockerfile { .. } => None,
    }
}

/// Returns the variables of a language's image where that is the base image as it is.
fn of_base_image(image: &Image) -> &'static [(&'static str, &'static str)] {
    match language_of(image).map(Language::facts) {
        Some(facts) if facts.interpreter.is_none() => facts.image.env,
        _ => &[],
    }
}

/// Returns the working folder of the helper; none for that of the image.
fn working_folder(spec: &Spec) -> Option<String> {
    let is_ours = language_of(&spec.image).is_some();
    (is_ours && spec.entry == Entry::Helper).then(|| TASK_PATH.to_owned())
}

/// Returns the command that runs the shim: none, so that the image's own is used, unless the interpreter has to read its
/// variables.
pub(super) fn shim(spec: &Spec) -> Result<Option<Vec<String>>, Error> {
    let Some(language) = language_of(&spec.image) else { return Ok(None) };
    let interpreter = language.facts().interpreter.as_ref().ok_or_else(|| entry::no_shim(language))?;
    let command = || interpreter.command(interpreter.program, &spec.env);
    Ok(interpreter.heeds(&spec.env).then(command))
}

fn labels(owner: &Owner, spec: &Spec) -> HashMap<String, String> {
    HashMap::from([
        ("cloudfunc.platform".to_owned(), owner.platform.to_string()),
        ("cloudfunc.manager".to_owned(), owner.manager.to_string()),
        ("cloudfunc.function".to_owned(), spec.function.clone()),
        ("cloudfunc.instance".to_owned(), spec.instance.to_string()),
    ])
}

fn host_config(owner: &Owner, spec: &Spec, volumes: &[String]) -> HostConfig {
    let memory = number(spec.memory_bytes);
    HostConfig {
        cap_drop: Some(vec!["ALL".to_owned()]),
        security_opt: Some(vec!["no-new-privileges".to_owned()]),
        readonly_rootfs: Some(true),
        tmpfs: Some(HashMap::from([(TMP.to_owned(), tmp_options())])),
        shm_size: Some(number(SHM_BYTES)),
        ipc_mode: Some("private".to_owned()),
        pids_limit: Some(number(PIDS)),
        ulimits: Some(vec![ulimit("nofile", OPEN_FILES), ulimit("core", [core_bytes(); 2])]),
        memory: Some(memory),
        // The limit of memory and swap together: no swap.
        memory_swap: Some(memory),
        nano_cpus: Some(nano(cpus_of_instance(spec.cpus))),
        // The rank among the engine's containers, such as the platform's own database and broker.
        cpu_shares: Some(CPU_SHARES.into()),
        // A function does not need the names of the groups.
        cgroupns_mode: Some(HostConfigCgroupnsModeEnum::PRIVATE),
        network_mode: (spec.network == Network::Egress)
            .then(|| network::name(&owner.platform, Purpose::of(spec.build.as_ref()))),
        mounts: Some(with_volumes(mounts(spec), volumes)),
        // Output comes over the guest's own sockets; the engine keeps nothing.
        log_config: Some(HostConfigLogConfig { typ: Some("none".to_owned()), config: None }),
        auto_remove: Some(false),
        ..Default::default()
    }
}

fn ulimit(name: &str, [soft, hard]: [u64; 2]) -> ResourcesUlimits {
    ResourcesUlimits { name: Some(name.to_owned()), soft: Some(number(soft)), hard: Some(number(hard)) }
}

fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[expect(clippy::cast_possible_truncation, reason = "a count of cpus is far below the limit")]
fn nano(cpus: f64) -> i64 {
    (cpus * 1e9) as i64
}

/// Programs in it may run: build tools and packages unpack theirs there.
fn tmp_options() -> String {
    format!("rw,exec,nosuid,nodev,mode=1777,size={TMP_BYTES}")
}

fn mounts(spec: &Spec) -> Vec<Mount> {
    let mount = |source: &Path, target: &str| Mount {
        typ: Some(MountType::BIND),
        source: Some(source.to_string_lossy().into_owned()),
        target: Some(target.to_owned()),
        read_only: Some(true),
        ..Default::default()
    };
    let mut mounts = vec![mount(&run_folder(&spec.folder), RUN_PATH)];
    if mounts_code(&spec.image) {
        mounts.push(mount(&spec.folder.join("task"), TASK_PATH));
    }
    if let Some(packages) = &spec.packages
        && !matches!(spec.image, Image::Own { .. } | Image::Dockerfile { .. })
    {
        mounts.push(mount(packages, PACKAGES_PATH));
    }
    if let Some(build) = &spec.build {
        let output = mount(&spec.folder.join(OUTPUT), OUTPUT_PATH);
        mounts.push(Mount { read_only: Some(false), ..output });
        mounts.extend(build.wheels.as_deref().map(|wheels| mount(wheels, WHEELS_PATH)));
    }
    mounts
}

/// Adds a folder in memory for each volume of the image, as large as `/tmp`: the engine would make one on its disk, without
/// a limit. Where something of ours is mounted there is none. No program can be run from such a folder.
fn with_volumes(mut mounts: Vec<Mount>, volumes: &[String]) -> Vec<Mount> {
    for volume in volumes {
        let is_ours = |mount: &Mount| mount.target.as_ref() == Some(volume);
        if volume == TMP || mounts.iter().any(is_ours) {
            continue;
        }
        let options =
            MountTmpfsOptions { size_bytes: Some(number(TMP_BYTES)), mode: Some(0o1777), options: None };
        mounts.push(Mount {
            typ: Some(MountType::TMPFS),
            target: Some(volume.clone()),
            tmpfs_options: Some(options),
            ..Default::default()
        });
    }
    mounts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_of_an_image_is_as_large_as_tmp() {
        let ours = Mount {
            typ: Some(MountType::BIND),
            target: Some(RUN_PATH.to_owned()),
            ..Default::default()
        };
        let volumes = ["/data", TMP, RUN_PATH, "/data"].map(str::to_owned);
        let mounts = with_volumes(vec![ours.clone()], &volumes);
        let [first, data] = &mounts[..] else { panic!("{mounts:?}") };
        assert_eq!(*first, ours);
        assert_eq!((data.typ, data.target.as_deref()), (Some(MountType::TMPFS), Some("/data")));
        let options = data.tmpfs_options.clone().unwrap();
        assert_eq!((options.size_bytes, options.mode), (Some(64 << 20), Some(0o1777)));
    }
}
