//! Which image a revision runs in.

use std::path::Path;

use crate::{
    model::{Code, Digest, FunctionName, FunctionSpec, Package, Revision},
    runtime::Image,
};

/// The image that a function's instances run in, as its spec names it; `code` is the digest of its code, and `bundle` the
/// unpacked folder, from which a function's own image is built on a host that does not have it.
pub fn image_of(
    name: &FunctionName,
    spec: &FunctionSpec,
    code: &Digest,
    bundle: Option<&Path>,
) -> Image {
    match (&spec.code, bundle) {
        (Code::Language { language, version, package: Package::Image }, Some(bundle)) => {
            Image::Function {
                language: *language,
                version: version.clone(),
                tag: function_tag(name.as_str(), code),
                bundle: bundle.to_owned(),
            }
        }
        (Code::Language { language, version, .. }, _) => {
            Image::Language { language: *language, version: version.clone() }
        }
        (Code::Image { image }, _) => Image::Own { reference: image.clone() },
        (Code::Dockerfile { dockerfile, args, network }, Some(source)) => Image::Dockerfile {
            tag: function_tag(name.as_str(), code),
            id: None,
            source: source.to_owned(),
            dockerfile: dockerfile.clone(),
            args: args.clone(),
            network: *network,
            refresh: false,
        },
        // Without its source it cannot be built.
        (Code::Dockerfile { .. }, None) => Image::Own { reference: function_tag(name.as_str(), code) },
    }
}

/// The same of a revision: an image of the user's own is asked for by the id that its name stood for when it
/// was deployed, as a revision does not change; so is one that was built, where it is still there.
pub fn image_of_revision(revision: &Revision, bundle: Option<&Path>) -> Image {
    match &revision.spec.code {
        Code::Image { .. } if !revision.image.is_empty() => {
            Image::Own { reference: revision.image.clone() }
        }
        _ => {
            let code = revision.bundle.as_ref().unwrap_or(&revision.source);
            let mut image = image_of(&revision.name, &revision.spec, code, bundle);
            if let Image::Dockerfile { id, .. } = &mut image {
                *id = Some(revision.image.clone()).filter(|id| !id.is_empty());
            }
            image
        }
    }
}

/// `cloudfunc/<name>:<digest>`: the image of a function with `package = "image"` or a Dockerfile.
pub fn function_tag(name: &str, code: &Digest) -> String {
    format!("cloudfunc/{name}:{}", code.short())
}
