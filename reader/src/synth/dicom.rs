//! A drawn film as a DICOM object: CR Image Storage or Digital X-Ray Image Storage – For Presentation, Explicit VR Little
//! Endian, with the attributes that PS3.3 A.2 and A.26 require. Every name in it says that it is invented.
//!
//! UIDs follow from the seed (PS3.5 B.2, under 2.25): the same draw is the same object wherever it is made.

use dicom_core::value::{DataSetSequence, DicomDate, PrimitiveValue};
use dicom_core::{DataElement, Tag, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::meta::FileMetaTableBuilder;
use dicom_object::{DefaultDicomObject, InMemDicomObject};

use super::SynthError;
use super::exposure::{Film, Photometric, Receptor};
use super::random::Normal;

/// The stream of a seed's random numbers that the header is drawn from.
const HEADER_STREAM: u64 = 3;
/// What every object says about itself, in Image Comments and Derivation Description.
pub const NOTICE: &str = "Drawn from a statistical model; not a patient";

/// Makes the object of `film`; `number` (1 and up) is the invented child's, `date` the study's.
///
/// # Errors
/// [`SynthError::Object`] if the toolkit refuses the attributes, which a test excludes.
pub fn object(film: &Film, number: u32, date: DicomDate) -> Result<DefaultDicomObject, SynthError> {
    let mut normal = Normal::stream(film.seed, HEADER_STREAM);
    let ids = Ids::draw(&mut normal);
    let mut header = Header { object: InMemDicomObject::new_empty() };
    header.patient(film, number, &mut normal);
    header.study(&ids, number, date, &mut normal);
    let view = ["AP", "AP", "PA"][normal.below(3)];
    header.equipment(film, view);
    header.image(film, &ids);
    if film.detector.receptor == Receptor::Panel {
        header.digital_x_ray(film, view);
    }
    header.pixels(film)?;
    let meta = FileMetaTableBuilder::new()
        .transfer_syntax(uids::EXPLICIT_VR_LITTLE_ENDIAN)
        .media_storage_sop_class_uid(sop_class(film.detector.receptor))
        .media_storage_sop_instance_uid(ids.instance);
    header.object.with_meta(meta).map_err(|e| SynthError::Object(Box::new(e)))
}

fn sop_class(receptor: Receptor) -> &'static str {
    match receptor {
        Receptor::Plate => uids::COMPUTED_RADIOGRAPHY_IMAGE_STORAGE,
        Receptor::Panel => uids::DIGITAL_X_RAY_IMAGE_STORAGE_FOR_PRESENTATION,
    }
}

/// The three UIDs of one film's study.
struct Ids {
    study: String,
    series: String,
    instance: String,
}

impl Ids {
    fn draw(normal: &mut Normal) -> Self {
        let mut uid = || {
            let random = u128::from(normal.bits()) << 64 | u128::from(normal.bits());
            // Version 4, variant 1 of a UUID (RFC 9562 5.4): what a 2.25 UID's number is by definition.
            let uuid = random & !(0xf << 76) & !(0x3 << 62) | 0x4 << 76 | 0x2 << 62;
            format!("2.25.{uuid}")
        };
        Self { study: uid(), series: uid(), instance: uid() }
    }
}

/// The object while it is being filled, module by module of PS3.3 annex C.
struct Header {
    object: InMemDicomObject,
}

impl Header {
    fn put(&mut self, tag: Tag, vr: VR, value: impl Into<PrimitiveValue>) {
        self.object.put(DataElement::new(tag, vr, value.into()));
    }

    /// Type 2 attributes that have nothing true to say.
    fn empty(&mut self, elements: &[(Tag, VR)]) {
        for &(tag, vr) in elements {
            self.put(tag, vr, PrimitiveValue::Empty);
        }
    }

    /// Patient and Patient Study, C.7.1.1 and C.7.2.2.
    fn patient(&mut self, film: &Film, number: u32, normal: &mut Normal) {
        self.put(tags::PATIENT_NAME, VR::PN, format!("SYNTHETIC^CHILD {number:04}"));
        self.put(tags::PATIENT_ID, VR::LO, format!("SYN-{:016X}", film.seed));
        self.empty(&[(tags::PATIENT_BIRTH_DATE, VR::DA)]);
        self.put(tags::PATIENT_SEX, VR::CS, ["F", "M"][normal.below(2)]);
        // The training films are of children of 1 to 5 years.
        self.put(tags::PATIENT_AGE, VR::AS, format!("{:03}Y", 1 + normal.below(5)));
    }

    /// General Study and General Series, C.7.2.1 and C.7.3.1.
    fn study(&mut self, ids: &Ids, number: u32, date: DicomDate, normal: &mut Normal) {
        // Between 07:00 and 19:00.
        let minute = 7 * 60 + normal.below(12 * 60);
        let time = format!("{:02}{:02}{:02}", minute / 60, minute % 60, normal.below(60));
        for (day, clock) in [
            (tags::STUDY_DATE, tags::STUDY_TIME),
            (tags::SERIES_DATE, tags::SERIES_TIME),
            (tags::ACQUISITION_DATE, tags::ACQUISITION_TIME),
            (tags::CONTENT_DATE, tags::CONTENT_TIME),
        ] {
            self.put(day, VR::DA, PrimitiveValue::from(date));
            self.put(clock, VR::TM, time.as_str());
        }
        self.put(tags::STUDY_INSTANCE_UID, VR::UI, ids.study.as_str());
        self.put(tags::SERIES_INSTANCE_UID, VR::UI, ids.series.as_str());
        self.put(tags::ACCESSION_NUMBER, VR::SH, format!("SYN{number:06}"));
        self.put(tags::STUDY_ID, VR::SH, number.to_string());
        self.put(tags::STUDY_DESCRIPTION, VR::LO, "Synthetic chest radiograph");
        self.put(tags::SERIES_NUMBER, VR::IS, "1");
        self.put(tags::INSTANCE_NUMBER, VR::IS, "1");
        self.empty(&[(tags::REFERRING_PHYSICIAN_NAME, VR::PN)]);
    }

    /// General Equipment and CR or DX Series, C.7.5.1, C.8.1.1 and C.8.11.1.
    fn equipment(&mut self, film: &Film, view: &str) {
        let (modality, model) = match film.detector.receptor {
            Receptor::Plate => ("CR", "Statistical plate"),
            Receptor::Panel => ("DX", "Statistical panel"),
        };
        self.put(tags::MODALITY, VR::CS, modality);
        self.put(tags::MANUFACTURER, VR::LO, "Hilum synthetic radiographs");
        self.put(tags::MANUFACTURER_MODEL_NAME, VR::LO, model);
        self.put(tags::INSTITUTION_NAME, VR::LO, "No hospital (synthetic)");
        self.put(tags::SOFTWARE_VERSIONS, VR::LO, env!("CARGO_PKG_VERSION"));
        self.put(tags::BODY_PART_EXAMINED, VR::CS, "CHEST");
        self.put(tags::VIEW_POSITION, VR::CS, view);
    }

    /// General Image, SOP Common and VOI LUT, C.7.6.1, C.12.1 and C.11.2.
    fn image(&mut self, film: &Film, ids: &Ids) {
        self.put(tags::SOP_CLASS_UID, VR::UI, sop_class(film.detector.receptor));
        self.put(tags::SOP_INSTANCE_UID, VR::UI, ids.instance.as_str());
        self.put(tags::SPECIFIC_CHARACTER_SET, VR::CS, "ISO_IR 100");
        self.put(
            tags::IMAGE_TYPE,
            VR::CS,
            PrimitiveValue::Strs(["DERIVED".into(), "PRIMARY".into()].into_iter().collect()),
        );
        // Columns run to the patient's left, rows to the feet: the film as one faces the patient.
        self.put(
            tags::PATIENT_ORIENTATION,
            VR::CS,
            PrimitiveValue::Strs(["L".into(), "F".into()].into_iter().collect()),
        );
        self.put(tags::IMAGE_COMMENTS, VR::LT, NOTICE);
        self.put(tags::DERIVATION_DESCRIPTION, VR::ST, NOTICE);
        // The side marker names nobody, so it is no annotation in the sense of C.7.6.1.
        self.put(tags::BURNED_IN_ANNOTATION, VR::CS, "NO");
        self.put(tags::LOSSY_IMAGE_COMPRESSION, VR::CS, "00");
        self.put(tags::WINDOW_CENTER, VR::DS, film.window.0.to_string());
        self.put(tags::WINDOW_WIDTH, VR::DS, film.window.1.to_string());
        let pitch = f32::from(film.detector.pitch_um) / 1000.0;
        let pitch = || Into::<String>::into(pitch.to_string());
        self.put(tags::IMAGER_PIXEL_SPACING, VR::DS, PrimitiveValue::Strs([pitch(), pitch()].into_iter().collect()));
    }

    /// What a DX object must have beyond a CR one: C.8.11.1 to C.8.11.4, C.7.6.14.
    fn digital_x_ray(&mut self, film: &Film, view: &str) {
        self.put(tags::PRESENTATION_INTENT_TYPE, VR::CS, "FOR PRESENTATION");
        self.put(tags::IMAGE_LATERALITY, VR::CS, "U");
        self.put(tags::PIXEL_INTENSITY_RELATIONSHIP, VR::CS, "LOG");
        let (sign, shape) = match film.detector.photometric {
            Photometric::Monochrome1 => (1i16, "INVERSE"),
            Photometric::Monochrome2 => (-1i16, "IDENTITY"),
        };
        self.put(tags::PIXEL_INTENSITY_RELATIONSHIP_SIGN, VR::SS, sign);
        self.put(tags::PRESENTATION_LUT_SHAPE, VR::CS, shape);
        self.put(tags::RESCALE_INTERCEPT, VR::DS, "0");
        self.put(tags::RESCALE_SLOPE, VR::DS, "1");
        self.put(tags::RESCALE_TYPE, VR::LO, "US");
        self.put(tags::DETECTOR_TYPE, VR::CS, "SCINTILLATOR");
        self.empty(&[(tags::POSITIONER_TYPE, VR::CS)]);
        // PS3.16 CID 4031 and CID 4010.
        self.code(tags::ANATOMIC_REGION_SEQUENCE, "816094009", "Chest");
        match view {
            "PA" => self.code(tags::VIEW_CODE_SEQUENCE, "272479007", "postero-anterior"),
            _ => self.code(tags::VIEW_CODE_SEQUENCE, "399348003", "antero-posterior"),
        }
        let none = DataSetSequence::<InMemDicomObject>::empty();
        self.object.put(DataElement::new(tags::ACQUISITION_CONTEXT_SEQUENCE, VR::SQ, none));
    }

    /// A sequence of one SNOMED CT code.
    fn code(&mut self, tag: Tag, value: &str, meaning: &str) {
        let element = |tag, vr, value: &str| DataElement::new(tag, vr, PrimitiveValue::from(value));
        let item = InMemDicomObject::from_element_iter([
            element(tags::CODE_VALUE, VR::SH, value),
            element(tags::CODING_SCHEME_DESIGNATOR, VR::SH, "SCT"),
            element(tags::CODE_MEANING, VR::LO, meaning),
        ]);
        self.object.put(DataElement::new(tag, VR::SQ, DataSetSequence::from(vec![item])));
    }

    /// Image Pixel, C.7.6.3.
    fn pixels(&mut self, film: &Film) -> Result<(), SynthError> {
        let side = |pixels: u32| u16::try_from(pixels).map_err(|e| SynthError::Object(Box::new(e)));
        let bits = film.detector.bits;
        for (tag, value) in [
            (tags::SAMPLES_PER_PIXEL, 1),
            (tags::ROWS, side(film.geometry.rows)?),
            (tags::COLUMNS, side(film.geometry.columns)?),
            (tags::BITS_ALLOCATED, if bits > 8 { 16 } else { 8 }),
            (tags::BITS_STORED, bits),
            (tags::HIGH_BIT, bits - 1),
            (tags::PIXEL_REPRESENTATION, 0),
        ] {
            self.put(tag, VR::US, value);
        }
        let photometric = match film.detector.photometric {
            Photometric::Monochrome1 => "MONOCHROME1",
            Photometric::Monochrome2 => "MONOCHROME2",
        };
        self.put(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, photometric);
        if bits > 8 {
            self.put(tags::PIXEL_DATA, VR::OW, PrimitiveValue::U16(film.samples.as_slice().into()));
        } else {
            // PS3.5 A.2: one byte per sample is OB; `store` keeps samples below 2^bits.
            let samples: Vec<u8> = film.samples.iter().map(|sample| *sample as u8).collect();
            self.put(tags::PIXEL_DATA, VR::OB, PrimitiveValue::U8(samples.into()));
        }
        Ok(())
    }
}
