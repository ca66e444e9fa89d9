// The beginning: state on one side, the page on the other, drawn at most once in a frame of the screen.

import { render } from 'preact';
import { Control } from './control';
import './style.css';
import { App } from './view/app';

const place = document.getElementById('page');
let drawing = false;

function draw(): void {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    if (place) render(<App state={control.state} control={control} now={Date.now()} />, place);
  });
}

const control = new Control(draw);
control.start();
draw();
// Ages go on while nothing comes.
setInterval(draw, 1_000);
