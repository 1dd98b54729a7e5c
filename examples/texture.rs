//! Detection inside a host application: `cargo run --release --features onnx --example texture -- MODEL PICTURE OUT.png`.
//!
//! The application owns the device, the picture's texture and the command encoder. Detection is recorded into that
//! encoder; the boxes are drawn straight from the buffers it leaves, in the same submission: the number of boxes is
//! the instance count of an indirect draw, so the CPU sees neither boxes nor count. Only the drawn picture is read
//! back, to be saved.

use std::error::Error;
use tilehawk::geom::{GridOptions, TileSize};
use tilehawk::gpu::Context;
use tilehawk::import::onnx::{ImportOptions, import};
use tilehawk::model::Model;
use tilehawk::{DetectOptions, DetectionBuffers, Detector, DetectorOptions, wgpu};

const FORMAT: wgpu::TextureFormat = wgpu::TextureFormat::Rgba8Unorm;

/// The picture on the whole target, then one box per instance, outlined.
const SHADER: &str = "
@group(0) @binding(0) var picture: texture_2d<f32>;

@vertex
fn whole(@builtin(vertex_index) i: u32) -> @builtin(position) vec4<f32> {
    return vec4<f32>(f32(i & 1u) * 4.0 - 1.0, f32(i >> 1u) * 4.0 - 1.0, 0.0, 1.0);
}

@fragment
fn copy(@builtin(position) at: vec4<f32>) -> @location(0) vec4<f32> {
    return textureLoad(picture, vec2<i32>(at.xy), 0);
}

struct Outline {
    @builtin(position) clip: vec4<f32>,
    @location(0) @interpolate(flat) rect: vec4<f32>,
    @location(1) @interpolate(flat) class_id: u32,
}

@vertex
fn corner(@builtin(vertex_index) i: u32, @location(0) rect: vec4<f32>, @location(1) class_id: u32) -> Outline {
    let at = select(rect.xy, rect.zw, vec2<bool>((i & 1u) == 1u, i >= 2u));
    let size = vec2<f32>(textureDimensions(picture));
    let clip = at / size * vec2<f32>(2.0, -2.0) + vec2<f32>(-1.0, 1.0);
    return Outline(vec4<f32>(clip, 0.0, 1.0), rect, class_id);
}

@fragment
fn outline(box: Outline) -> @location(0) vec4<f32> {
    let inner = min(box.clip.xy - box.rect.xy, box.rect.zw - box.clip.xy);
    if min(inner.x, inner.y) > 2.0 {
        discard;
    }
    let hue = f32(box.class_id) * 2.4;
    return vec4<f32>(0.5 + 0.5 * cos(hue + vec3<f32>(0.0, 2.1, 4.2)), 1.0);
}
";

/// What an application with a renderer of its own has at hand.
struct App {
    device: wgpu::Device,
    queue: wgpu::Queue,
    picture: wgpu::Texture,
    target: wgpu::Texture,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, picture, out] = arguments.as_slice() else {
        return Err("usage: texture MODEL PICTURE OUT.png".into());
    };
    let model = match model.ends_with(".onnx") {
        true => import(&std::fs::read(model)?, &ImportOptions::default())?,
        false => Model::load(model)?,
    };
    let pixels = image::ImageReader::open(picture)?.with_guessed_format()?.decode()?.into_rgba8();
    let app = App::new(&pixels)?;

    let context = Context::from_device(app.device.clone(), app.queue.clone())?;
    let detector = Detector::new(&context, &model, DetectorOptions::default())?;
    let grid = GridOptions { tile: TileSize::square(416), ..GridOptions::default() };
    let options = DetectOptions { grid, ..DetectOptions::default() };
    let view = app.picture.create_view(&wgpu::TextureViewDescriptor::default());

    let mut encoder = app.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    let found = detector.encode(&mut encoder, &view, &options)?;
    app.draw(&mut encoder, &view, &found);
    let bytes = app.finish(encoder)?;

    let (width, height) = pixels.dimensions();
    image::RgbaImage::from_raw(width, height, bytes).ok_or("the target has another size")?.save(out)?;
    println!("{}: boxes drawn from GPU memory into {out}", context.info().name);
    Ok(())
}

impl App {
    fn new(pixels: &image::RgbaImage) -> Result<Self, Box<dyn Error>> {
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
        let adapter = pollster::block_on(instance.request_adapter(&wgpu::RequestAdapterOptions::default()))?;
        // Default limits and no features: what every WebGPU device has.
        let (device, queue) = pollster::block_on(adapter.request_device(&wgpu::DeviceDescriptor::default()))?;
        let size =
            wgpu::Extent3d { width: pixels.width(), height: pixels.height(), depth_or_array_layers: 1 };
        let texture = |label, usage| {
            device.create_texture(&wgpu::TextureDescriptor {
                label: Some(label),
                size,
                mip_level_count: 1,
                sample_count: 1,
                dimension: wgpu::TextureDimension::D2,
                format: FORMAT,
                usage,
                view_formats: &[],
            })
        };
        let picture =
            texture("picture", wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST);
        let target =
            texture("target", wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::COPY_SRC);
        let layout = wgpu::TexelCopyBufferLayout {
            offset: 0,
            bytes_per_row: Some(4 * size.width),
            rows_per_image: None,
        };
        queue.write_texture(picture.as_image_copy(), pixels, layout, size);
        Ok(Self { device, queue, picture, target })
    }

    fn pipeline(
        &self,
        [vertex, fragment]: [&str; 2],
        topology: wgpu::PrimitiveTopology,
        buffers: &[Option<wgpu::VertexBufferLayout<'_>>],
        layout: &wgpu::PipelineLayout,
    ) -> wgpu::RenderPipeline {
        let module = self.device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some(vertex),
            source: wgpu::ShaderSource::Wgsl(SHADER.into()),
        });
        self.device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
            label: Some(vertex),
            layout: Some(layout),
            vertex: wgpu::VertexState {
                module: &module,
                entry_point: Some(vertex),
                compilation_options: wgpu::PipelineCompilationOptions::default(),
                buffers,
            },
            primitive: wgpu::PrimitiveState { topology, ..Default::default() },
            depth_stencil: None,
            multisample: wgpu::MultisampleState::default(),
            fragment: Some(wgpu::FragmentState {
                module: &module,
                entry_point: Some(fragment),
                compilation_options: wgpu::PipelineCompilationOptions::default(),
                targets: &[Some(FORMAT.into())],
            }),
            multiview_mask: None,
            cache: None,
        })
    }

    /// Draws the picture, then the boxes of the detection that was recorded before.
    fn draw(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        picture: &wgpu::TextureView,
        found: &DetectionBuffers,
    ) {
        let entry = wgpu::BindGroupLayoutEntry {
            binding: 0,
            visibility: wgpu::ShaderStages::VERTEX_FRAGMENT,
            ty: wgpu::BindingType::Texture {
                sample_type: wgpu::TextureSampleType::Float { filterable: false },
                view_dimension: wgpu::TextureViewDimension::D2,
                multisampled: false,
            },
            count: None,
        };
        let bindings = self
            .device
            .create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: None, entries: &[entry] });
        let group = self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &bindings,
            entries: &[wgpu::BindGroupEntry {
                binding: 0,
                resource: wgpu::BindingResource::TextureView(picture),
            }],
        });
        let layout = self.device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: None,
            bind_group_layouts: &[Some(&bindings)],
            immediate_size: 0,
        });
        // A box is 32 bytes: x0 y0 x1 y1, score, class, tile, anchor.
        let boxes = wgpu::VertexBufferLayout {
            array_stride: 32,
            step_mode: wgpu::VertexStepMode::Instance,
            attributes: &[
                wgpu::VertexAttribute {
                    format: wgpu::VertexFormat::Float32x4,
                    offset: 0,
                    shader_location: 0,
                },
                wgpu::VertexAttribute { format: wgpu::VertexFormat::Uint32, offset: 20, shader_location: 1 },
            ],
        };
        let (list, strip) = (wgpu::PrimitiveTopology::TriangleList, wgpu::PrimitiveTopology::TriangleStrip);
        let whole = self.pipeline(["whole", "copy"], list, &[], &layout);
        let outlines = self.pipeline(["corner", "outline"], strip, &[Some(boxes)], &layout);

        let view = self.target.create_view(&wgpu::TextureViewDescriptor::default());
        let mut pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
            label: Some("boxes"),
            color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                view: &view,
                depth_slice: None,
                resolve_target: None,
                ops: wgpu::Operations::default(),
            })],
            ..Default::default()
        });
        pass.set_bind_group(0, &group, &[]);
        pass.set_pipeline(&whole);
        pass.draw(0..3, 0..1);
        pass.set_pipeline(&outlines);
        pass.set_vertex_buffer(0, found.boxes.slice(..));
        pass.draw_indirect(&found.header, 0);
    }

    /// Submits all of it at once and reads the target back.
    fn finish(&self, mut encoder: wgpu::CommandEncoder) -> Result<Vec<u8>, Box<dyn Error>> {
        let size = self.target.size();
        let row = (4 * size.width).next_multiple_of(wgpu::COPY_BYTES_PER_ROW_ALIGNMENT);
        let buffer = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("screenshot"),
            size: u64::from(row) * u64::from(size.height),
            usage: wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ,
            mapped_at_creation: false,
        });
        let layout =
            wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(row), rows_per_image: None };
        let destination = wgpu::TexelCopyBufferInfo { buffer: &buffer, layout };
        encoder.copy_texture_to_buffer(self.target.as_image_copy(), destination, size);
        self.queue.submit([encoder.finish()]);
        buffer.map_async(wgpu::MapMode::Read, .., |_| {});
        self.device.poll(wgpu::PollType::wait_indefinitely())?;
        let mapped = buffer.get_mapped_range(..)?;
        let rows = mapped.chunks_exact(row as usize);
        Ok(rows.flat_map(|row| &row[..4 * size.width as usize]).copied().collect())
    }
}
