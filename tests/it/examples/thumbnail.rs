//! The example with a package of Python's: Pillow.

use cloudfunc::settings::Platform;

use super::{FUNCTIONS, deploy, wheels::wheels};
use crate::{
    packages::on,
    support::platform::{Stack, TestPlatform},
};

on! {
    light: a_thumbnail_is_made_of_an_image;
    sqlite_embedded_oci: a_thumbnail_is_made_of_an_image;
    postgres_rabbitmq_docker: a_thumbnail_is_made_of_an_image;
}

/// A platform that has the packages in a folder.
async fn with_packages(stack: Stack, test: &str) -> Option<TestPlatform> {
    let change = packages(stack)?;
    TestPlatform::start_with(stack, test, change).await
}

/// Has a platform install packages of Python that are there.
pub fn packages(stack: Stack) -> Option<impl FnOnce(&mut Platform)> {
    let folder = wheels(stack, &format!("{FUNCTIONS}/thumbnail/requirements.txt"))?;
    Some(move |platform: &mut Platform| {
        platform.builds.index = Some("none".parse().unwrap());
        platform.builds.find_links = Some(folder);
    })
}

async fn a_thumbnail_is_made_of_an_image(stack: Stack, test: &str) {
    let Some(platform) = with_packages(stack, test).await else { return };
    deploy(&platform, "thumbnail").await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("red.ppm");
    // 600 by 300 pixels, all of them red.
    let pixels = [0xff, 0, 0].repeat(600 * 300);
    std::fs::write(&path, [b"P6 600 300 255\n".as_slice(), &pixels].concat()).unwrap();
    let request = platform.post("/v1/functions/thumbnail/invoke").body(std::fs::read(&path).unwrap());
    let answer = request.header("content-type", "image/x-portable-pixmap").send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let png = answer.bytes().await.unwrap();
    // The signature, the length and name of the first chunk, width and height.
    let header = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\x01\0\0\0\0\x80";
    assert!(png.starts_with(header), "{:?}", &png[..40]);
    let problem = platform.problem("thumbnail", "{}").await;
    assert_eq!(
        problem.detail,
        "function 'thumbnail' failed: TypeError: an image is sent as its bytes, with its content type, for example image/jpeg"
    );
    platform.stop().await;
}
