//! Cooperative matrices: products of small matrices that the invocations of a subgroup compute together.

use wgpu::{AdapterInfo, CooperativeMatrixProperties, CooperativeScalarType, Features};

/// The square matrices that kernels may use: f16 factors, f32 sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Matrices {
    /// Rows and columns: 8 or 16.
    pub(crate) side: u32,
    /// Invocations of the subgroups that compute them.
    pub(crate) subgroup: u32,
    /// Whether ordinary code stands for them, in tests.
    pub(crate) emulated: bool,
}

/// Features that kernels on matrices need.
pub(super) const NEEDED: Features =
    Features::EXPERIMENTAL_COOPERATIVE_MATRIX.union(Features::SHADER_F16).union(Features::SUBGROUP);

impl Matrices {
    /// Those of an adapter that fit the kernels, the largest first.
    pub(super) fn of(adapter: &wgpu::Adapter) -> Option<Self> {
        // The query answers whether the device will have the feature or not.
        let shapes = adapter.cooperative_matrix_properties();
        choose(&shapes, &adapter.get_info()).filter(|_| adapter.features().contains(NEEDED))
    }
}

fn choose(shapes: &[CooperativeMatrixProperties], info: &AdapterInfo) -> Option<Matrices> {
    let subgroup = subgroup(info)?;
    let has = |side: &u32| {
        shapes.contains(&CooperativeMatrixProperties {
            m_size: *side,
            n_size: *side,
            k_size: *side,
            ab_type: CooperativeScalarType::F16,
            cr_type: CooperativeScalarType::F32,
            saturating_accumulation: false,
        })
    };
    let side = [16, 8].into_iter().find(has)?;
    Some(Matrices { side, subgroup, emulated: false })
}

/// The one size that all subgroups have, if kernels can work with it.
fn subgroup(info: &AdapterInfo) -> Option<u32> {
    // wgpu gives 4 to 64 for everything on Metal; Apple's own GPUs have 32.
    let apple = info.backend == wgpu::Backend::Metal && info.name.starts_with("Apple");
    let sizes = if apple { [32, 32] } else { [info.subgroup_min_size, info.subgroup_max_size] };
    (sizes[0] == sizes[1] && [8, 16, 32, 64].contains(&sizes[0])).then_some(sizes[0])
}

/// Admits experimental features to a device.
#[expect(unsafe_code, reason = "wgpu asks for it where an interface is experimental and may hold errors")]
pub(super) fn experimental() -> wgpu::ExperimentalFeatures {
    // SAFETY: the caller of `Context::new` asked for it. Of the experimental features only cooperative matrices are requested, and
    // the only kernel that has them is `conv_matrix`: whole subgroups run its matrix operations in uniform control flow, and load
    // and store inside arrays of workgroup memory, at places that depend on nothing but the subgroup's number, which is clamped.
    unsafe { wgpu::ExperimentalFeatures::enabled() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wgpu::CooperativeScalarType::{F16, F32};

    fn shape(
        [m_size, n_size, k_size]: [u32; 3],
        ab_type: CooperativeScalarType,
    ) -> CooperativeMatrixProperties {
        let cr_type = F32;
        CooperativeMatrixProperties {
            m_size,
            n_size,
            k_size,
            ab_type,
            cr_type,
            saturating_accumulation: false,
        }
    }

    fn info(name: &str, backend: wgpu::Backend, subgroups: [u32; 2]) -> AdapterInfo {
        let mut info = AdapterInfo::new(wgpu::DeviceType::DiscreteGpu, backend);
        info.name = name.into();
        [info.subgroup_min_size, info.subgroup_max_size] = subgroups;
        info
    }

    #[test]
    fn square_matrices_of_halves_with_sums_of_floats() {
        let nvidia = info("NVIDIA", wgpu::Backend::Vulkan, [32; 2]);
        let square = shape([16; 3], F16);
        let found = |side, subgroup| Some(Matrices { side, subgroup, emulated: false });
        assert_eq!(choose(&[shape([16, 8, 16], F16), square], &nvidia), found(16, 32));
        assert_eq!(choose(&[shape([8; 3], F16), square], &nvidia), found(16, 32));
        for unfit in [
            shape([16, 8, 16], F16),
            shape([8; 3], F32),
            CooperativeMatrixProperties { cr_type: F16, ..square },
            CooperativeMatrixProperties { saturating_accumulation: true, ..square },
        ] {
            assert_eq!(choose(&[unfit], &nvidia), None, "{unfit:?}");
        }
        assert_eq!(choose(&[], &nvidia), None);
    }

    #[test]
    fn subgroups_of_one_size() {
        let square = [shape([8; 3], F16)];
        let side = |name, backend, sizes| choose(&square, &info(name, backend, sizes)).map(|m| m.subgroup);
        use wgpu::Backend::{Metal, Vulkan};
        assert_eq!(side("AMD", Vulkan, [64; 2]), Some(64));
        assert_eq!(side("AMD", Vulkan, [32, 64]), None);
        assert_eq!(side("Intel", Vulkan, [8, 32]), None);
        assert_eq!(side("llvmpipe", Vulkan, [8; 2]), Some(8));
        assert_eq!(side("Adreno", Vulkan, [128; 2]), None);
        assert_eq!(side("Apple M2", Metal, [4, 64]), Some(32));
        assert_eq!(side("AMD Radeon Pro", Metal, [4, 64]), None);
    }
}
