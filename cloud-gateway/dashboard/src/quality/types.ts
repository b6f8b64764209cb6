// What the gateway says about the model's quality, as it comes over the wire.

/** 95 %. */
export interface Interval {
  low: number;
  high: number;
}

/** `hits` of `n`, with Wilson's interval; both null of none. */
export interface Share {
  hits: number;
  n: number;
  value: number | null;
  interval: Interval | null;
}

export interface Estimate {
  value: number;
  interval: Interval | null;
  n: number;
}

export interface Period {
  from: string;
  to: string;
}

type Cell = 'true_positives' | 'false_positives' | 'true_negatives' | 'false_negatives';

export interface Called {
  positive: number;
  negative: number;
}

export interface RocPoint {
  threshold: number | null;
  false_positive_rate: number;
  true_positive_rate: number;
}

export interface CalibrationBin {
  from: number;
  to: number;
  mean_probability: number | null;
  observed: Share;
  studies: string;
}

export interface Accuracy {
  period: Period;
  narrowed: boolean;
  called: Called;
  judged_of_positive: Share;
  judged_of_negative: Share;
  cells: Record<Cell, number> & { studies: Record<Cell, string> };
  rates: Record<'sensitivity' | 'specificity' | 'positive_predictive_value' | 'negative_predictive_value', Share>;
  corrected_false_negative_rate: { value: number; interval: Interval } | null;
  auc: { value: number; interval: Interval | null; positives: number; negatives: number } | null;
  roc: RocPoint[];
  diagram: CalibrationBin[];
  expected_calibration_error: Estimate | null;
  brier: Estimate | null;
}

export type DriftState = 'collecting_reference' | 'too_few' | 'steady' | 'changed' | 'changed_much';

export interface Psi {
  value: number;
  /** What equal distributions stay under in 95 of 100 windows. */
  chance: number;
}

export interface Drift {
  device: string;
  site: string;
  model: string;
  reference: Period & { n: number; studies: string };
  current: Period & { n: number; studies: string };
  state: DriftState;
  psi: Psi | null;
  ks: { distance: number; p: number } | null;
  histogram: { from: number; reference: Share; current: Share }[];
  inputs: { fact: string; state: DriftState; psi: Psi | null; values: { value: string; reference: Share; current: Share }[] }[];
}

export interface FairnessGroup {
  name: string;
  called: Called;
  judged: Record<Cell, number>;
  positive_rate: Share | null;
  sensitivity: Share | null;
  false_negative_rate: Share | null;
  corrected_false_negative_rate: { value: number; interval: Interval } | null;
  /** The false negative rate less that of all others. */
  gap: { value: number; interval: Interval } | null;
  studies: string;
  missed_studies: string;
}

export interface Fairness {
  period: Period;
  newest_only: boolean;
  fewest_positives: number;
  fewest_readings: number;
  comparisons: number;
  dimensions: { name: string; groups: FairnessGroup[] }[];
}

export interface Quantile {
  value: number;
  interval: Interval | null;
  n: number;
}

export interface Flow {
  period: Period;
  delivery_seconds: { median: Quantile; p90: Quantile } | null;
  first_verdict_seconds: { median: Quantile; p90: Quantile } | null;
  judged_studies: string;
  outcomes: { outcome: string; reason: string | null; share: Share; studies: string }[];
  data_quality: { device: string; site: string; readable: Share; studies: string }[];
}
